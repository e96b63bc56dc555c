package admin

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
)

// tagNode gives and takes tags. What it was asked to do holds for whatever tags there are meanwhile.
func (s *server) tagNode(ctx context.Context, t *tenant, in *admin.TagNodeIn) (*admin.TagNodeOut, error) {
	v, err := condition(t.route, in.IfMatch.IfMatch)
	if err != nil {
		return nil, err
	}
	add, remove := prefixed(store.TagPrefix, in.Body.Add), prefixed(store.TagPrefix, in.Body.Remove)
	return again(v, func() (*admin.TagNodeOut, error) {
		n, err := t.node(ctx, in.Node)
		if err != nil {
			return nil, err
		}
		if err := s.owns(ctx, t, n.Network, slices.Concat(add, remove)); err != nil {
			return nil, err
		}
		tags := slices.DeleteFunc(slices.Concat(n.Tags, add), func(tag string) bool { return slices.Contains(remove, tag) })
		slices.Sort(tags)
		if n, err = t.SetNodeTags(ctx, t.actor(), n.ID, slices.Compact(tags), or(given(v), n.Version)); err != nil {
			return nil, err
		}
		out, err := s.nodeOut(ctx, t, n)
		if err != nil {
			return nil, err
		}
		return &admin.TagNodeOut{ETag: out.ETag, Body: admin.TaggedNode{Node: out.Body, Unknown: s.unknownTags(ctx, t, n.Network, n.Tags)}}, nil
	})
}

// owns refuses tags to a key that does not own them by the network's policy, both to give and to take: who has a tag is no longer its user's node to policy, and who
// loses it is so again. A key that acts for a user owns what that user does, and one that acts for nobody what every admin does. But if that may write the policy it may give
// any: it could make itself the owner.
func (s *server) owns(ctx context.Context, t *tenant, network ident.Network, tags []string) error {
	user := t.who.key.User
	if len(tags) == 0 || user == "" && t.who.may(admin.PolicyWrite) {
		return nil
	}
	var foreign []string
	err := s.Rules.Ask(ctx, t.ID, network, func(c *compile.Network) {
		foreign = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return user == "" && c.AdminsMayTag(tag) || user != "" && c.MayTag(user, tag) })
	})
	switch {
	case err != nil || len(foreign) == 0:
		return err
	case user == "":
		return admin.CodePermission.Problem(title(t.route), "this key acts for nobody, and not every admin owns "+strings.Join(foreign, ", "),
			"add autogroup:admin to the tag's owners, in the policy's tagOwners, or use a key that acts for an owner of it, or one with the scope "+string(admin.PolicyWrite))
	}
	return admin.CodePermission.Problem(title(t.route), "this key acts for "+user+", who does not own "+strings.Join(foreign, ", "), "add the user to the tag's owners, in the policy's tagOwners")
}

// attempts is how often a change is decided anew when somebody else was faster.
const attempts = 4

// again does what reads, decides and writes until nobody has written in between. With a condition of the caller's that is for the caller to do.
func again[T any](condition uint64, do func() (T, error)) (out T, err error) {
	for range attempts {
		if out, err = do(); condition != 0 || !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return out, err
}

// given is a condition, nil if there is none.
func given(condition uint64) *uint64 {
	if condition == 0 {
		return nil
	}
	return &condition
}

// unknownTags returns the tags that a network's policy has no owners for, so that no rule of it can mean them. A tag that nobody knows is most likely
// mistyped, but a machine may also be tagged before its policy is written: it is said and not refused.
func (s *server) unknownTags(ctx context.Context, t *tenant, network ident.Network, tags []string) (unknown []string) {
	if s.Rules == nil || len(tags) == 0 {
		return nil
	}
	err := s.Rules.Ask(ctx, t.ID, network, func(c *compile.Network) {
		for _, tag := range tags {
			if !slices.ContainsFunc(c.Document().TagOwners, func(o acl.TagOwner) bool { return o.Tag == tag }) {
				unknown = append(unknown, tag)
			}
		}
	})
	if err != nil {
		s.Log.Debug("admin API: tags not compared with the policy", logx.Network, network, logx.Err, err)
	}
	return unknown
}
