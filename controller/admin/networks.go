package admin

import (
	"context"
	"errors"
	"strconv"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
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

// createNetwork leaves the choice of ranges to the store, which knows all others in the moment of writing.
func (s *server) createNetwork(ctx context.Context, t *tenant, in *admin.CreateNetworkIn) (*admin.NetworkOut, error) {
	want := store.Network{Name: in.Body.Name, Range4: in.Body.Range4, Range6: in.Body.Range6}
	if !in.Body.Closed {
		want.Rules = []store.Rule{{Src: store.Members, Dst: store.Members}}
	}
	n, err := t.CreateNetwork(ctx, t.actor(), want)
	if err != nil {
		return nil, err
	}
	return networkOut(n, 0), nil
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
