package storetest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
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
	node = must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, prefixes("192.168.9.0/24", "172.16.0.0/12", "192.168.9.0/24"), prefixes("172.16.0.0/12", "192.168.77.0/24")))
	if !slices.Equal(node.Offered, prefixes("172.16.0.0/12", "192.168.9.0/24")) || !slices.Equal(node.Routes(), prefixes("172.16.0.0/12")) || !slices.Equal(node.Approved, node.Routes()) {
		t.Errorf("offered: %v, approved %v", node.Offered, node.Approved)
	}
	if again := must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, node.Offered, nil)); again.Version != node.Version {
		t.Error("the same offer again is a change")
	}
	node = must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: prefixes("192.168.9.0/24", "::/0"), Revoke: prefixes("172.16.0.0/12")}, node.Version))
	if !slices.Equal(node.Routes(), prefixes("192.168.9.0/24")) || !slices.Equal(node.Approved, prefixes("192.168.9.0/24", "::/0")) {
		t.Errorf("approved: %v", node.Approved)
	}
	if again := must[store.Node](t)(h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: prefixes("::/0")}, 0)); again.Version != node.Version {
		t.Error("approved twice is a change")
	}
	// What was revoked stays so while it is offered; who offers it anew asks anew.
	auto := prefixes("172.16.0.0/12")
	node = must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, prefixes("172.16.0.0/12"), auto))
	if len(node.Routes()) != 0 {
		t.Errorf("revoked, and yet %v", node.Routes())
	}
	must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, nil, auto))
	node = must[store.Node](t)(h.OfferRoutes(ctx(), node.ID, auto, auto))
	if !slices.Equal(node.Routes(), auto) {
		t.Errorf("offered anew: %v", node.Routes())
	}
	load := must[store.Load](t)(h.Load(ctx()))
	if !slices.ContainsFunc(load.Nodes, func(x store.Node) bool {
		return x.ID == node.ID && slices.Equal(x.Offered, auto) && slices.Equal(x.Approved, node.Approved)
	}) {
		t.Errorf("loaded: %+v", load.Nodes)
	}
	var told []string
	for _, e := range b.trail(acme.ID) {
		if strings.HasPrefix(e.Action, "route.") || e.Action == "node.offer" {
			told = append(told, e.Action)
		}
	}
	if want := "node.offer route.approve route.approve route.revoke node.offer node.offer node.offer route.approve"; strings.Join(told, " ") != want {
		t.Errorf("the trail tells %v, want %s", told, want)
	}
}

func routesThatNobodyCanHaveAreRefused(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	node := b.node(h, n, "gate")
	for _, bad := range append(prefixes("127.0.0.0/8", "224.0.0.0/4", "10.20.0.1/16"), n.Range4, netip.PrefixFrom(n.Range6.Addr(), 96)) {
		_, err := h.OfferRoutes(ctx(), node.ID, []netip.Prefix{bad}, nil)
		b.refused(err, store.ErrInvalid)
		_, err = h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: []netip.Prefix{bad}}, 0)
		b.refused(err, store.ErrInvalid)
	}
	var many []netip.Prefix
	for i := range control.MaxRoutes + 1 {
		many = append(many, netip.MustParsePrefix(fmt.Sprintf("198.18.%d.0/24", i)))
	}
	_, err := h.OfferRoutes(ctx(), node.ID, many, nil)
	b.refused(err, store.ErrLimit)
	_, err = h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: many}, 0)
	b.refused(err, store.ErrLimit)
	_, err = h.ApproveRoutes(ctx(), admin, node.ID, store.Approval{Approve: many[:1]}, node.Version+9)
	b.refused(err, store.ErrConflict)
	_, err = h.OfferRoutes(ctx(), node.ID+1, nil, nil)
	b.refused(err, store.ErrNotFound)
}
