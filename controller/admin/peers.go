package admin

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

func (s *server) listPeers(ctx context.Context, t *tenant, in *admin.ListPeersIn) (*admin.ListPeersOut, error) {
	only, networks, err := t.chosen(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	all, err := t.Plains(ctx, only)
	if err != nil {
		return nil, err
	}
	nodes, err := t.Nodes(ctx, only)
	if err != nil {
		return nil, err
	}
	byID := index(nodes)
	l, err := page(t.route, all, in.Page, func(p store.Plain) mark { return mark{uint64(p.ID), p.Created} },
		func(p store.Plain) admin.Peer { return showPeer(p, networks[p.Network], byID) })
	return &admin.ListPeersOut{Body: l}, err
}

func (s *server) createPeer(ctx context.Context, t *tenant, in *admin.CreatePeerIn) (*admin.PeerOut, error) {
	n, err := t.network(ctx, in.Body.Network)
	if err != nil {
		return nil, err
	}
	want := store.Plain{Network: n.ID, Name: in.Body.Name, Endpoint: in.Body.Endpoint, Keepalive: uint16(in.Body.Keepalive)}
	if err := want.WG.UnmarshalText([]byte(in.Body.Key)); err != nil {
		return nil, invalid(t.route, err.Error(), "give what wg pubkey prints on the device")
	}
	if want.Preshared, err = key.ParsePresharedText(in.Body.Preshared); err != nil {
		return nil, invalid(t.route, err.Error(), "give what wg genpsk prints, or none")
	}
	nodes, err := t.Nodes(ctx, n.ID)
	if err != nil {
		return nil, err
	}
	if want.Nodes, err = t.among(nodes, n, in.Body.Nodes); err != nil {
		return nil, err
	}
	p, err := t.CreatePlain(ctx, t.actor(), want)
	if err != nil {
		return nil, err
	}
	return s.peerOut(t, p, n.Name, index(nodes)), nil
}

// among finds nodes of a network by name or identifier.
func (t *tenant) among(nodes []store.Node, n store.Network, names []string) (found []ident.Node, err error) {
	byName := make(map[string]ident.Node, 3*len(nodes))
	for _, o := range nodes {
		byName[o.Name], byName[o.Name+"."+n.Name] = o.ID, o.ID
	}
	for _, o := range nodes { // a name that looks like another's identifier misleads nobody
		byName[o.ID.String()] = o.ID
	}
	for _, name := range names {
		id, ok := byName[name]
		if !ok {
			return nil, admin.CodeNotFound.Problem(title(t.route), "no node "+strconv.Quote(name)+" in network "+strconv.Quote(n.Name),
				"see which there are: "+lister("Nodes")+" --network "+n.Name)
		}
		found = append(found, id)
	}
	return found, nil
}

func (s *server) getPeer(ctx context.Context, t *tenant, in *admin.OnePeerIn) (*admin.PeerOut, error) {
	p, err := t.peer(ctx, in.Peer)
	if err != nil {
		return nil, err
	}
	n, err := t.Network(ctx, p.Network)
	if err != nil {
		return nil, err
	}
	nodes, err := t.Nodes(ctx, p.Network)
	if err != nil {
		return nil, err
	}
	return s.peerOut(t, p, n.Name, index(nodes)), nil
}

func (s *server) deletePeer(ctx context.Context, t *tenant, in *admin.DeletePeerIn) (*admin.Nothing, error) {
	v, err := condition(t.route, in.IfMatch.IfMatch)
	if err != nil {
		return nil, err
	}
	p, err := t.peer(ctx, in.Peer)
	if err != nil {
		return nil, err
	}
	return &admin.Nothing{}, t.DeletePlain(ctx, t.actor(), p.ID, v)
}

// peer finds a peer by identifier, by name.network, or by a name that only one peer of the tenant has.
func (t *tenant) peer(ctx context.Context, name string) (store.Plain, error) {
	var id ident.Plain
	if id.UnmarshalText([]byte(name)) == nil {
		if p, err := t.Plain(ctx, id); !errors.Is(err, store.ErrNotFound) {
			return p, err
		}
	}
	label, network, _ := strings.Cut(name, ".")
	only, names, err := t.chosen(ctx, network)
	if err != nil {
		return store.Plain{}, err
	}
	all, err := t.Plains(ctx, only)
	if err != nil {
		return store.Plain{}, err
	}
	var found []store.Plain
	var which []string
	for _, p := range all {
		if p.Name == label {
			found, which = append(found, p), append(which, p.Name+"."+names[p.Network])
		}
	}
	switch len(found) {
	case 0:
		return store.Plain{}, admin.CodeNotFound.Problem(title(t.route), "no peer "+strconv.Quote(name), "see which there are: "+lister("Peers"))
	case 1:
		return found[0], nil
	}
	return store.Plain{}, admin.CodeAmbiguous.Problem(title(t.route), "several peers are named "+strconv.Quote(name), "say which one: "+strings.Join(which, ", "))
}

func index(nodes []store.Node) map[ident.Node]store.Node {
	byID := make(map[ident.Node]store.Node, len(nodes))
	for _, n := range nodes {
		byID[n.ID] = n
	}
	return byID
}

func (s *server) peerOut(t *tenant, p store.Plain, network string, nodes map[ident.Node]store.Node) *admin.PeerOut {
	d := admin.PeerDetail{Peer: showPeer(p, network, nodes), Ends: []admin.PeerEnd{}}
	for _, id := range p.Nodes {
		n, there := nodes[id]
		if !there {
			continue
		}
		e := admin.PeerEnd{Node: id, Name: n.Name, Key: n.WG.String(), Addresses: both(n.Address4, n.Address6), Endpoints: s.Live(t.ID, id).Endpoints}
		if e.Endpoints == nil {
			e.Endpoints = []netip.AddrPort{}
		}
		d.Ends = append(d.Ends, e)
	}
	return &admin.PeerOut{ETag: etag(p.Version), Body: d}
}

func showPeer(p store.Plain, network string, nodes map[ident.Node]store.Node) admin.Peer {
	out := admin.Peer{ID: p.ID, Name: p.Name, Network: p.Network, NetworkName: network, Addresses: both(p.Address4, p.Address6), Nodes: []admin.PeerNode{},
		Key: p.WG.String(), Preshared: !p.Preshared.IsZero(), Endpoint: p.Endpoint, Keepalive: int(p.Keepalive), Created: p.Created, CreatedBy: p.CreatedBy, Version: p.Version}
	for _, id := range p.Nodes {
		out.Nodes = append(out.Nodes, admin.PeerNode{ID: id, Name: nodes[id].Name})
	}
	return out
}

// both returns those of two addresses that there are.
func both(a4, a6 netip.Addr) []netip.Addr {
	all := []netip.Addr{}
	for _, a := range []netip.Addr{a4, a6} {
		if a.IsValid() {
			all = append(all, a)
		}
	}
	return all
}
