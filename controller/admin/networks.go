package admin

import (
	"context"
	"crypto/sha256"
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
	policies, err := t.PoliciesInForce(ctx)
	if err != nil {
		return nil, err
	}
	of := make(map[ident.Network]store.Policy, len(all))
	for _, p := range policies {
		of[p.Network] = p
	}
	l, err := page(t.route, all, in.Page, func(n store.Network) mark { return mark{uint64(n.ID), n.Created} },
		func(n store.Network) admin.Network { return showNetwork(n, count[n.ID], of[n.ID]) })
	return &admin.ListNetworksOut{Body: l}, err
}

// createNetwork leaves the choice of ranges to the store, which knows all others in the moment of writing.
func (s *server) createNetwork(ctx context.Context, t *tenant, in *admin.CreateNetworkIn) (*admin.NetworkOut, error) {
	n, err := t.CreateNetwork(ctx, t.actor(), store.Network{Name: in.Body.Name, Range4: in.Body.Range4, Range6: in.Body.Range6, Rules: rulesOf(!in.Body.Closed)})
	if err != nil {
		return nil, err
	}
	return t.networkOut(ctx, n)
}

func (s *server) getNetwork(ctx context.Context, t *tenant, in *admin.OneNetworkIn) (*admin.NetworkOut, error) {
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	return t.networkOut(ctx, n)
}

// setAccess leaves to the store that the network's policy follows.
func (s *server) setAccess(ctx context.Context, t *tenant, in *admin.SetAccessIn) (*admin.NetworkOut, error) {
	v, err := condition(t.route, in.IfMatch.IfMatch)
	if err != nil {
		return nil, err
	}
	n, err := t.network(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	if n, err = t.SetRules(ctx, t.actor(), n.ID, rulesOf(in.Body.Access == admin.Open), v); err != nil {
		return nil, err
	}
	return t.networkOut(ctx, n)
}

// rulesOf is what the store begins a network's policy from.
func rulesOf(open bool) []store.Rule {
	if open {
		return []store.Rule{{Src: store.Members, Dst: store.Members}}
	}
	return nil
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
	if err != nil {
		return nil, err
	}
	p, err := t.Policy(ctx, n.ID)
	return &admin.NetworkOut{ETag: etag(n.Version), Body: showNetwork(n, len(nodes), p)}, err
}

func showNetwork(n store.Network, nodes int, p store.Policy) admin.Network {
	return admin.Network{ID: n.ID, Name: n.Name, Range4: n.Range4, Range6: n.Range6, Policy: p.Number, Access: access(p), Nodes: nodes, Created: n.Created, Version: n.Version}
}

// access tells the policies that networks begin with from all others.
func access(p store.Policy) admin.Access {
	for a, open := range map[admin.Access]bool{admin.Open: true, admin.Closed: false} {
		if p.ETag == store.PolicyETag(p.Network, p.Number, sha256.Sum256(store.FirstPolicy(open))) {
			return a
		}
	}
	return admin.Custom
}
