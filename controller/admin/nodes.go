package admin

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

func (s *server) listNodes(ctx context.Context, t *tenant, in *admin.ListNodesIn) (*admin.ListNodesOut, error) {
	only, names, err := t.chosen(ctx, in.Network)
	if err != nil {
		return nil, err
	}
	all, err := t.narrowed(ctx, only, in)
	if err != nil {
		return nil, err
	}
	l, err := page(t.route, all, in.Page, func(n store.Node) mark { return mark{uint64(n.ID), n.Created} },
		func(n store.Node) admin.Node { return s.showNode(t.ID, n, names[n.Network]) })
	return &admin.ListNodesOut{Body: l}, err
}

// narrowed returns the nodes that a list is about.
func (t *tenant) narrowed(ctx context.Context, network ident.Network, in *admin.ListNodesIn) (all []store.Node, err error) {
	if in.User == "" {
		all, err = t.Nodes(ctx, network)
	} else {
		var u store.User
		if u, err = t.User(ctx, in.User); err == nil {
			all, err = t.OwnedNodes(ctx, u.Login)
		}
	}
	return slices.DeleteFunc(all, func(n store.Node) bool {
		return !network.IsZero() && n.Network != network || in.Pending && !n.Pending ||
			in.Routes && len(n.Offered)+len(n.Approved)+len(n.Refused) == 0
	}), err
}

func (s *server) getNode(ctx context.Context, t *tenant, in *admin.OneNodeIn) (*admin.NodeOut, error) {
	n, err := t.node(ctx, in.Node)
	if err != nil {
		return nil, err
	}
	return s.nodeOut(ctx, t, n)
}

func (s *server) approveNode(ctx context.Context, t *tenant, in *admin.ChangeNodeIn) (*admin.NodeOut, error) {
	return s.changeNode(ctx, t, in.Node, in.IfMatch, t.ApproveNode)
}

func (s *server) suspendNode(ctx context.Context, t *tenant, in *admin.ChangeNodeIn) (*admin.NodeOut, error) {
	return s.changeNode(ctx, t, in.Node, in.IfMatch, t.SuspendNode)
}

func (s *server) renameNode(ctx context.Context, t *tenant, in *admin.RenameNodeIn) (*admin.NodeOut, error) {
	return s.changeNode(ctx, t, in.Node, in.IfMatch, func(ctx context.Context, actor string, id ident.Node, ifVersion uint64) (store.Node, error) {
		return t.RenameNode(ctx, actor, id, in.Body.Name, ifVersion)
	})
}

// changeNode has the store change a node, if that is as it was shown.
func (s *server) changeNode(ctx context.Context, t *tenant, name string, m admin.IfMatch, change func(context.Context, string, ident.Node, uint64) (store.Node, error)) (*admin.NodeOut, error) {
	n, v, err := t.nodeAsShown(ctx, name, m)
	if err == nil {
		n, err = change(ctx, t.actor(), n.ID, v)
	}
	if err != nil {
		return nil, err
	}
	return s.nodeOut(ctx, t, n)
}

// deleteNode removes a node. The store tells the hub, which ends its session.
func (s *server) deleteNode(ctx context.Context, t *tenant, in *admin.ChangeNodeIn) (*admin.Nothing, error) {
	n, v, err := t.nodeAsShown(ctx, in.Node, in.IfMatch)
	if err != nil {
		return nil, err
	}
	return &admin.Nothing{}, t.DeleteNode(ctx, t.actor(), n.ID, v)
}

// nodeAsShown finds a node, and the version that it must have; 0: any.
func (t *tenant) nodeAsShown(ctx context.Context, name string, m admin.IfMatch) (n store.Node, version uint64, err error) {
	if version, err = condition(t.route, m.IfMatch); err == nil {
		n, err = t.node(ctx, name)
	}
	return n, version, err
}

// node finds a node by identifier, by name.network, or by a name that only one node of the tenant has.
func (t *tenant) node(ctx context.Context, name string) (store.Node, error) {
	var id ident.Node
	if id.UnmarshalText([]byte(name)) == nil {
		if n, err := t.Node(ctx, id); !errors.Is(err, store.ErrNotFound) {
			return n, err
		}
	}
	label, network, _ := strings.Cut(name, ".")
	only, names, err := t.chosen(ctx, network)
	if err != nil {
		return store.Node{}, err
	}
	found, err := t.NodesNamed(ctx, only, label)
	if err != nil {
		return store.Node{}, err
	}
	switch len(found) {
	case 0:
		return store.Node{}, admin.CodeNotFound.Problem(title(t.route), "no node "+strconv.Quote(name), "see which there are: "+lister("Nodes"))
	case 1:
		return found[0], nil
	}
	var which []string
	for _, n := range found {
		which = append(which, n.Name+"."+names[n.Network])
	}
	return store.Node{}, admin.CodeAmbiguous.Problem(title(t.route), "several nodes are named "+strconv.Quote(name), "say which one: "+strings.Join(which, ", "))
}

func (s *server) nodeOut(ctx context.Context, t *tenant, n store.Node) (*admin.NodeOut, error) {
	net, err := t.Network(ctx, n.Network)
	if err != nil {
		return nil, err
	}
	return &admin.NodeOut{ETag: etag(n.Version), Body: s.showNode(t.ID, n, net.Name)}, nil
}

func (s *server) showNode(t ident.Tenant, n store.Node, network string) admin.Node {
	now := s.Live(t, n.ID)
	seen := n.LastSeen
	switch {
	case now.Online:
		seen = s.Now()
	case now.LastSeen.After(seen):
		seen = now.LastSeen
	}
	return admin.Node{
		ID: n.ID, Name: n.Name, Network: n.Network, NetworkName: network, Addresses: both(n.Address4, n.Address6), User: n.User, Tags: list(n.Tags),
		Pending: n.Pending, Ephemeral: n.Ephemeral, Online: now.Online, LastSeen: seen, Endpoints: len(now.Endpoints),
		Key: n.WG.String(), CertUntil: n.CertUntil, OS: n.OS, Software: n.Software, Attributes: n.Attrs, Routes: nodeRoutes(&n), JoinedBy: n.JoinedBy, Created: n.Created, Version: n.Version,
	}
}
