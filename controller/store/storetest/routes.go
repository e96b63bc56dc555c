package storetest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

func prefixes(list ...string) (all []netip.Prefix) {
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

func routesAreOfferedApprovedAndRevoked(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	node := b.node(h, n, "gate")
	node = must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, prefixes("192.168.9.0/24", "172.16.0.0/12", "192.168.9.0/24")))
	if !slices.Equal(node.Offered, prefixes("172.16.0.0/12", "192.168.9.0/24")) || len(node.Routes()) != 0 {
		t.Errorf("offered: %v, forwarded %v", node.Offered, node.Routes())
	}
	if again := must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, node.Offered)); again.Version != node.Version {
		t.Error("the same offer again is a change")
	}
	node = must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: prefixes("192.168.9.0/24", "::/0")}, node.Version))
	if !slices.Equal(node.Routes(), prefixes("192.168.9.0/24")) || !slices.Equal(node.Approved, prefixes("192.168.9.0/24", "::/0")) || len(node.Refused) != 0 {
		t.Errorf("approved: %v, refused %v", node.Approved, node.Refused)
	}
	if again := must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: prefixes("::/0")}, 0)); again.Version != node.Version {
		t.Error("approved twice is a change")
	}
	node = must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Revoke: prefixes("192.168.9.0/24", "::/0")}, 0))
	if len(node.Routes()) != 0 || len(node.Approved) != 0 {
		t.Errorf("revoked, and yet %v", node.Approved)
	}
	load := must[store.Load](t)(h.Load(ctx()))
	if !slices.ContainsFunc(load.Nodes, func(x store.Node) bool {
		return x.ID == node.ID && slices.Equal(x.Offered, node.Offered) && slices.Equal(x.Approved, node.Approved) && slices.Equal(x.Refused, prefixes("192.168.9.0/24", "::/0"))
	}) {
		t.Errorf("loaded: %+v", load.Nodes)
	}
	if got, want := b.routeTrail(acme.ID), "node.offer route.approve route.revoke"; got != want {
		t.Errorf("the trail tells %v, want %s", got, want)
	}
}

// routeTrail is what the trail tells of routes, in order.
func (b *bench) routeTrail(id ident.Tenant) string {
	var told []string
	for _, e := range b.trail(id) {
		if strings.HasPrefix(e.Action, "route.") || e.Action == "node.offer" {
			told = append(told, e.Action)
		}
	}
	return strings.Join(told, " ")
}

func whatThePolicyGrantsEndsWithItsOfferAndByRevoking(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	node := b.node(h, b.network(h, "office"), "gate")
	a, x := prefixes("172.16.0.0/12"), prefixes("192.168.9.0/24")
	both := slices.Concat(a, x)
	holds := func(step string, n store.Node, approved, granted, refused []netip.Prefix) {
		t.Helper()
		n = must[store.Node](t)(h.Node(ctx(), n.ID))
		if !slices.Equal(n.Approved, approved) || !slices.Equal(n.Granted, granted) || !slices.Equal(n.Refused, refused) {
			t.Errorf("%s: approved %v, granted %v, refused %v", step, n.Approved, n.Granted, n.Refused)
		}
	}
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, both))
	node = must[store.Node](t)(h.GrantRoutes(ctx(), node.ID, prefixes("10.0.0.0/8", "172.16.0.0/12")))
	holds("granted, but not what is not offered", node, nil, a, nil)
	if !slices.Equal(node.Routes(), a) {
		t.Errorf("forwarded: %v", node.Routes())
	}
	if again := must[store.Node](t)(h.GrantRoutes(ctx(), node.ID, a)); again.Version != node.Version {
		t.Error("the same grant again is a change")
	}
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, x))
	holds("withdrawn", node, nil, nil, nil)
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, both))
	must[store.Node](t)(h.GrantRoutes(ctx(), node.ID, both))
	must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: x, Revoke: a}, 0))
	holds("one approved by an admin too, the other revoked", node, x, x, a)
	must[store.Node](t)(h.GrantRoutes(ctx(), node.ID, a))
	holds("the policy does not approve what was revoked, and may end only what it has approved", node, x, nil, a)
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, nil))
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, both))
	must[store.Node](t)(h.GrantRoutes(ctx(), node.ID, both))
	holds("offered anew", node, x, x, a)
	must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: a}, 0))
	holds("approved after all", node, both, x, nil)
	want := "node.offer route.approve node.offer node.offer route.approve route.approve route.revoke route.revoke node.offer node.offer route.approve route.approve"
	if got := b.routeTrail(acme.ID); got != want {
		t.Errorf("the trail tells\n%s, want\n%s", got, want)
	}
	_, err := h.GrantRoutes(ctx(), node.ID+1, nil)
	b.refused(err, store.ErrNotFound)
}

func refusalsAreBounded(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	node := b.node(h, b.network(h, "office"), "gate")
	var many []netip.Prefix
	for i := range control.MaxRoutes {
		many = append(many, netip.MustParsePrefix(fmt.Sprintf("198.18.%d.0/24", i)))
	}
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, many))
	must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Revoke: many}, 0))
	next := prefixes("198.19.0.0/24")
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, next))
	node = must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Revoke: next}, 0))
	if !slices.Equal(node.Refused, next) {
		t.Errorf("%d refused", len(node.Refused))
	}
}

func routesThatNobodyCanHaveAreRefused(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	node := b.node(h, n, "gate")
	for _, bad := range append(prefixes("127.0.0.0/8", "224.0.0.0/4", "10.20.0.1/16"), n.Range4, netip.PrefixFrom(n.Range6.Addr(), 96)) {
		_, err := h.OfferRoutes(ctx(), node.ID, []netip.Prefix{bad})
		b.refused(err, store.ErrInvalid)
		_, err = h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: []netip.Prefix{bad}}, 0)
		b.refused(err, store.ErrInvalid)
		_, err = h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Revoke: []netip.Prefix{bad}}, 0)
		b.refused(err, store.ErrInvalid)
	}
	var many []netip.Prefix
	for i := range control.MaxRoutes + 1 {
		many = append(many, netip.MustParsePrefix(fmt.Sprintf("198.18.%d.0/24", i)))
	}
	_, err := h.OfferRoutes(ctx(), node.ID, many)
	b.refused(err, store.ErrLimit)
	_, err = h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: many}, 0)
	b.refused(err, store.ErrLimit)
	_, err = h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: many[:1]}, node.Version+9)
	b.refused(err, store.ErrConflict)
	_, err = h.OfferRoutes(ctx(), node.ID+1, nil)
	b.refused(err, store.ErrNotFound)
}
