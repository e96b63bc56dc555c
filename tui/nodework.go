package tui

import (
	"context"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
)

// bare leaves out the prefix of tags.
func bare(tags []string) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = cleanName(strings.TrimPrefix(t, "tag:"))
	}
	return out
}

// retag gives and takes so that a node has exactly the tags that were typed.
func retag(n *admin.Node, text string) action {
	want := bare(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }))
	have := bare(n.Tags)
	var change admin.TagChange
	for _, t := range want {
		if !slices.Contains(have, t) {
			change.Add = append(change.Add, t)
		}
	}
	for _, t := range have {
		if !slices.Contains(want, t) {
			change.Remove = append(change.Remove, t)
		}
	}
	if change.Add == nil && change.Remove == nil {
		return nil
	}
	return tagNode{n.ID.String(), nodeName(n), change}
}

// changeNode changes something at the controller and has the list asked for again.
type changeNode struct {
	well, what string
	do         func(context.Context, Controller) error
}

func (n changeNode) run(ctx context.Context, c *Config) outcome {
	return done{n.what, n.well, n.do(ctx, c.Controller), reloadNodes{}}
}

type reloadNodes struct{}

func (reloadNodes) decide(m *Model) action { return m.nodes.reload() }

type tagNode struct {
	id, name string
	change   admin.TagChange
}

func (t tagNode) run(ctx context.Context, c *Config) outcome {
	unknown, err := c.Controller.Tag(ctx, t.id, t.change)
	well := "the tags of " + t.name + " are changed"
	if len(unknown) > 0 {
		well += "; the policy does not know " + cleanNames(unknown) + ": no rule can mean it until its tagOwners list it"
	}
	return done{"tag " + t.name, well, err, reloadNodes{}}
}
