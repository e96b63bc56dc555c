package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Verb says what a step does.
type Verb string

// The verbs.
const (
	Create Verb = "create"
	Change Verb = "change"
	Delete Verb = "delete"
	Await  Verb = "await" // nothing can be done yet
)

// Kind says of what.
type Kind string

// The kinds.
const (
	OfGroup   Kind = "group"
	OfUser    Kind = "user"
	OfNetwork Kind = "network"
	OfPolicy  Kind = "policy"
	OfRoutes  Kind = "routes" // behind a node
)

// Step is one change, of one object.
type Step struct {
	Verb   Verb     `json:"verb"`
	Kind   Kind     `json:"kind"`
	Name   string   `json:"name"`
	Detail []string `json:"detail,omitempty"` // what changes, in words

	User    User    `json:"-"` // as it shall be
	Network Network `json:"-"`
	Router  Router  `json:"-"` // what is to be approved and revoked
	ETag    string  `json:"-"` // of what is changed or deleted, as it was read
}

// Steps returns what leads from have to want, in an order in which it can be done: groups come before who is in them, networks
// before their policies, these before approvals, and deletions last. It fails, with everything at once, where no step can lead: a network's ranges stay.
func Steps(have, want *Tenant, prune bool) ([]Step, error) {
	d := diff{have: have, want: want}
	d.groups()
	d.users()
	d.networks()
	if prune {
		d.prune()
	}
	return d.steps, errors.Join(d.faults...)
}

type diff struct {
	have, want *Tenant
	steps      []Step
	faults     []error
}

func (d *diff) add(s Step) { d.steps = append(d.steps, s) }

func (d *diff) groups() {
	for _, g := range d.want.Groups {
		if !slices.Contains(d.have.Groups, g) {
			d.add(Step{Verb: Create, Kind: OfGroup, Name: g.Name})
		}
	}
}

func (d *diff) users() {
	for _, w := range d.want.Users {
		i := slices.IndexFunc(d.have.Users, func(h User) bool { return h.Login == w.Login })
		if i < 0 {
			d.add(Step{Verb: Create, Kind: OfUser, Name: w.Login, User: w, Detail: []string{"role " + w.Role, groupsText(w.Groups)}})
			continue
		}
		h := &d.have.Users[i]
		var what []string
		if h.Role != w.Role {
			what = append(what, fmt.Sprintf("role %s instead of %s", w.Role, h.Role))
		}
		if !slices.Equal(sorted(h.Groups), sorted(w.Groups)) {
			what = append(what, fmt.Sprintf("%s instead of %s", groupsText(w.Groups), groupsText(h.Groups)))
		}
		if what != nil {
			d.add(Step{Verb: Change, Kind: OfUser, Name: w.Login, User: w, Detail: what, ETag: h.ETag})
		}
	}
}

func sorted(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

func groupsText(groups []string) string {
	if len(groups) == 0 {
		return "no groups"
	}
	return "groups " + strings.Join(sorted(groups), ", ")
}

func (d *diff) networks() {
	var policies []Step
	for _, w := range d.want.Networks {
		i := slices.IndexFunc(d.have.Networks, func(h Network) bool { return h.Name == w.Name })
		var h Network
		if i < 0 {
			d.add(Step{Verb: Create, Kind: OfNetwork, Name: w.Name, Network: w, Detail: rangesText(w)})
		} else {
			h = d.have.Networks[i]
			d.same(&w, "range4", h.Range4, w.Range4)
			d.same(&w, "range6", h.Range6, w.Range6)
		}
		if was := cmp.Or(h.Protocol, "any"); w.Protocol != "" && w.Protocol != was {
			d.add(Step{Verb: Change, Kind: OfNetwork, Name: w.Name, Network: w, ETag: h.Version, Detail: []string{fmt.Sprintf("protocol %s instead of %s", w.Protocol, was)}})
		}
		if w.Policy != nil && (h.Policy == nil || *h.Policy != *w.Policy) {
			policies = append(policies, Step{Verb: Change, Kind: OfPolicy, Name: w.Name, Network: w, ETag: h.ETag, Detail: linesText(h.Policy, *w.Policy)})
		}
	}
	d.steps = append(d.steps, policies...)
	for _, w := range d.want.Networks {
		h := Network{}
		if i := slices.IndexFunc(d.have.Networks, func(h Network) bool { return h.Name == w.Name }); i >= 0 {
			h = d.have.Networks[i]
		}
		d.routers(&h, &w)
	}
}

// same refuses to change a network's range.
func (d *diff) same(n *Network, what, have, want string) {
	if want != "" && have != want {
		if have == "" {
			have = "none"
		}
		d.faults = append(d.faults, fmt.Errorf("the network %q has %s %s and cannot get %s: ranges stay as they are made", n.Name, what, have, want))
	}
}

func rangesText(n Network) (all []string) {
	for _, r := range []string{n.Range4, n.Range6} {
		if r != "" {
			all = append(all, r)
		}
	}
	if all == nil {
		return []string{"free ranges"}
	}
	return all
}

// linesText counts the lines that a policy gets and loses.
func linesText(was *string, is string) []string {
	if was == nil {
		return nil
	}
	count := map[string]int{}
	for line := range strings.Lines(*was) {
		count[strings.TrimSpace(line)]--
	}
	for line := range strings.Lines(is) {
		count[strings.TrimSpace(line)]++
	}
	more, less := 0, 0
	for _, n := range count {
		more, less = more+max(n, 0), less+max(-n, 0)
	}
	if more+less == 0 {
		return []string{"order or spaces only"}
	}
	return []string{fmt.Sprintf("lines: +%d -%d", more, less)}
}

// prune deletes users and groups that are not named: users first, because they are in groups.
func (d *diff) prune() {
	for _, h := range d.have.Users {
		if !slices.ContainsFunc(d.want.Users, func(w User) bool { return w.Login == h.Login }) {
			d.add(Step{Verb: Delete, Kind: OfUser, Name: h.Login, ETag: h.ETag})
		}
	}
	for _, h := range d.have.Groups {
		if !slices.Contains(d.want.Groups, h) {
			d.add(Step{Verb: Delete, Kind: OfGroup, Name: h.Name})
		}
	}
}
