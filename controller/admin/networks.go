package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/ipam"
)

func (s *server) listNetworks(ctx context.Context, t *tenant, in *admin.ListNetworksIn) (*admin.ListNetworksOut, error) {
	all, err := t.Networks(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := t.Nodes(ctx, 0)
	if err != nil {
		return nil, err
	}
	count := make(map[ident.Network]int, len(all))
	for _, n := range nodes {
		count[n.Network]++
	}
	l, err := page(t.route, all, in.Page, func(n store.Network) mark { return mark{uint64(n.ID), n.Created} },
		func(n store.Network) admin.Network { return showNetwork(n, count[n.ID]) })
	return &admin.ListNetworksOut{Body: l}, err
}

// rangeTries bounds how often a free range is looked for anew because somebody else took it meanwhile.
const rangeTries = 3

func (s *server) createNetwork(ctx context.Context, t *tenant, in *admin.CreateNetworkIn) (*admin.NetworkOut, error) {
	if err := label(t.route, "name", in.Body.Name); err != nil {
		return nil, err
	}
	want := store.Network{Name: in.Body.Name, Range4: in.Body.Range4, Range6: in.Body.Range6}
	if !in.Body.Closed {
		want.Rules = []store.Rule{{Src: store.Members, Dst: store.Members}}
	}
	chosen := want.Range4.IsValid() || want.Range6.IsValid()
	for try := 1; ; try++ {
		if err := t.ranges(ctx, &want, chosen); err != nil {
			return nil, err
		}
		n, err := t.CreateNetwork(ctx, t.actor(), want)
		if err == nil {
			return networkOut(n, 0), nil
		}
		if chosen || !errors.Is(err, store.ErrConflict) || try == rangeTries {
			return nil, err
		}
	}
}

// ranges checks the ranges that were chosen, or picks free ones.
func (t *tenant) ranges(ctx context.Context, n *store.Network, chosen bool) error {
	if chosen {
		for _, c := range []struct {
			given bool
			fault error
		}{{n.Range4.IsValid(), ipam.Check4(n.Range4)}, {n.Range6.IsValid(), ipam.Check6(n.Range6)}} {
			if c.given && c.fault != nil {
				return invalid(t.route, c.fault.Error(), "leave the ranges out and free ones are chosen")
			}
		}
		return nil
	}
	all, err := t.Networks(ctx)
	if err != nil {
		return err
	}
	var taken4, taken6 []ipam.Named
	for _, o := range all {
		taken4 = append(taken4, ipam.Named{Name: o.Name, Range: o.Range4})
		taken6 = append(taken6, ipam.Named{Name: o.Name, Range: o.Range6})
	}
	var free4, free6 bool
	if n.Range4, free4, err = ipam.Pick4(rand.Reader, taken4); err != nil {
		return err
	}
	if n.Range6, free6, err = ipam.Pick6(rand.Reader, taken6); err != nil {
		return err
	}
	if !free4 && !free6 {
		return admin.CodeLimit.Problem(title(t.route), "no private range is free", "choose one with range4 or range6")
	}
	return nil
}

func (s *server) getNetwork(ctx context.Context, t *tenant, in *admin.OneNetworkIn) (*admin.NetworkOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	return t.networkOut(ctx, n)
}

func (s *server) setRules(ctx context.Context, t *tenant, in *admin.SetRulesIn) (*admin.NetworkOut, error) {
	v, err := condition(t.route, in.IfMatch.IfMatch)
	if err != nil {
		return nil, err
	}
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	rules := []store.Rule{}
	for _, r := range in.Body.Rules {
		rules = append(rules, store.Rule(r))
	}
	if n, err = t.SetRules(ctx, t.actor(), n.ID, rules, v); err != nil {
		return nil, err
	}
	return t.networkOut(ctx, n)
}

func (s *server) deleteNetwork(ctx context.Context, t *tenant, in *admin.DeleteNetworkIn) (*admin.Nothing, error) {
	v, err := condition(t.route, in.IfMatch.IfMatch)
	if err != nil {
		return nil, err
	}
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	return &admin.Nothing{}, t.DeleteNetwork(ctx, t.actor(), n.ID, v)
}

// network finds a network by name or identifier.
func (t *tenant) network(ctx context.Context, name string) (store.Network, error) {
	n, err := t.NetworkByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		var id ident.Network
		if id.UnmarshalText([]byte(name)) == nil {
			n, err = t.Network(ctx, id)
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return n, admin.CodeNotFound.Problem(title(t.route), "no network "+strconv.Quote(name), "see which there are: "+lister("Networks"))
	}
	return n, err
}

func (t *tenant) networkOut(ctx context.Context, n store.Network) (*admin.NetworkOut, error) {
	nodes, err := t.Nodes(ctx, n.ID)
	return networkOut(n, len(nodes)), err
}

func networkOut(n store.Network, nodes int) *admin.NetworkOut {
	return &admin.NetworkOut{ETag: etag(n.Version), Body: showNetwork(n, nodes)}
}

func showNetwork(n store.Network, nodes int) admin.Network {
	rules := []admin.Rule{}
	for _, r := range n.Rules {
		rules = append(rules, admin.Rule(r))
	}
	return admin.Network{ID: n.ID, Name: n.Name, Range4: n.Range4, Range6: n.Range6, Rules: rules, Open: n.Open(), Nodes: nodes, Created: n.Created, Version: n.Version}
}

// label refuses what is no RFC 1123 label and says what would be.
func label(r admin.Route, field, s string) error {
	if clean.IsLabel(s) {
		return nil
	}
	hint := ""
	if l := clean.Label(s); l != "" {
		hint = "use " + l
	}
	return invalid(r, field+" "+strconv.Quote(clean.Line(s, 63))+": want lower case letters, digits and hyphens, and no hyphen first or last", hint)
}
