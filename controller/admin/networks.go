package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
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
	n, err := t.CreateNetwork(ctx, t.actor(), store.Network{Name: in.Body.Name, Range4: in.Body.Range4, Range6: in.Body.Range6}, !in.Body.Closed)
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

// setAccess puts a network's first policy in force, or one that lets nothing pass.
func (s *server) setAccess(ctx context.Context, t *tenant, in *admin.SetAccessIn) (*admin.NetworkOut, error) {
	n, p, v, err := t.networkAsShown(ctx, in.Network, in.IfMatch)
	if err != nil {
		return nil, err
	}
	ifMatch := ""
	if v != 0 {
		ifMatch = p.ETag
	}
	open := in.Body.Access == admin.Open
	if _, err := t.PutPolicy(ctx, n.ID, store.FirstPolicy(open), t.actor(), "the network was "+map[bool]string{true: "opened", false: "closed"}[open], ifMatch); err != nil {
		return nil, err
	}
	return t.networkOut(ctx, n)
}

// changeNetwork changes what its nodes speak.
func (s *server) changeNetwork(ctx context.Context, t *tenant, in *admin.ChangeNetworkIn) (*admin.NetworkOut, error) {
	n, _, v, err := t.networkAsShown(ctx, in.Network, in.IfMatch)
	if err != nil {
		return nil, err
	}
	if v != 0 {
		v = n.Version
	}
	if n, err = t.SetNetworkProtocol(ctx, t.actor(), n.ID, tunnels(in.Body.Protocol), v); err != nil {
		return nil, err
	}
	return t.networkOut(ctx, n)
}

// tunnels is a protocol as nodes know it; zero is any.
func tunnels(p admin.Protocol) control.Tunnels {
	t, _ := control.ParseTunnel(string(p))
	return t
}

func protocol(t control.Tunnels) admin.Protocol {
	if t == 0 {
		return admin.AnyProtocol
	}
	return admin.Protocol(t.String())
}

// networkAsShown finds a network and its policy, if both are as they were at the version that was shown; 0: whatever they are.
func (t *tenant) networkAsShown(ctx context.Context, name string, m admin.IfMatch) (n store.Network, p store.Policy, version uint64, err error) {
	if version, err = condition(t.route, m.IfMatch); err != nil {
		return n, p, 0, err
	}
	if n, err = t.network(ctx, name); err != nil {
		return n, p, 0, err
	}
	p, err = t.Policy(ctx, n.ID)
	if err == nil && version != 0 && version != versionOf(n, p) {
		err = fmt.Errorf("network %q: %w: it was changed meanwhile; look at it again", n.Name, store.ErrConflict)
	}
	return n, p, version, err
}

// versionOf is a network's as it is shown: its policy is part of it.
func versionOf(n store.Network, p store.Policy) uint64 { return max(n.Version, p.Version) }

func (s *server) deleteNetwork(ctx context.Context, t *tenant, in *admin.DeleteNetworkIn) (*admin.Nothing, error) {
	n, _, _, err := t.networkAsShown(ctx, in.Network, in.IfMatch)
	if err != nil {
		return nil, err
	}
	return &admin.Nothing{}, t.DeleteNetwork(ctx, t.actor(), n.ID, n.Version)
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
	return &admin.NetworkOut{ETag: etag(versionOf(n, p)), Body: showNetwork(n, len(nodes), p)}, err
}

func showNetwork(n store.Network, nodes int, p store.Policy) admin.Network {
	return admin.Network{ID: n.ID, Name: n.Name, Range4: n.Range4, Range6: n.Range6, Policy: p.Number, Access: access(p), Protocol: protocol(n.Protocol), Nodes: nodes, Created: n.Created, Version: versionOf(n, p)}
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
