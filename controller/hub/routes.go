package hub

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// offers stores what a node offers to forward to, if that is news. That it cannot be stored now ends no session: the node says it again with its next
// report.
func (n *session) offers(ctx context.Context, r *pb.Report) {
	offered, news := n.tenant.offered(n, r)
	if !news {
		return
	}
	if _, err := n.tenant.hub.Store.For(n.tenant.id).OfferRoutes(ctx, n.node, offered); err != nil {
		n.tenant.hub.log(n.tenant.id, n.node).Warn("what a node offers to forward to not stored", logx.Err, err)
	}
}

// offered reads what a node offers, as far as its network lets it.
func (t *tenant) offered(n *session, r *pb.Report) (offered []netip.Prefix, news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.nodes[n.node]
	if known == nil || t.books[known.network] == nil {
		return nil, false
	}
	offered, err := control.ParseRoutes(r.GetRoutes(), t.books[known.network].overlay...)
	if err != nil {
		t.hub.log(t.id, n.node).Warn("a node offers what it cannot forward to", logx.Err, err)
	}
	return offered, !slices.Equal(offered, known.routes.Offered)
}

// What the policy's autoApprovers approve is stored, so that a restart tells nobody anything new, and kept equal to what the policy says: whatever may
// change that (a document, tags, groups, an offer, a revocation) has the node looked at again, and the difference is written by a goroutine that
// lives as long as there is one.

// routing takes over what is stored of a node's routes. The lock is held.
func (t *tenant) routing(n *store.Node) {
	t.nodes[n.ID].routes = store.Node{Offered: n.Offered, Granted: n.Granted, Refused: n.Refused}
	if t.routers[n.ID] = struct{}{}; len(n.Offered)+len(n.Granted) == 0 {
		delete(t.routers, n.ID)
	}
	t.judgeRoutes(n.ID)
}

// judgeAllRoutes looks at all nodes that offer something. The lock is held.
func (t *tenant) judgeAllRoutes() {
	for id := range t.routers {
		t.judgeRoutes(id)
	}
}

// judgeRoutes notes whether the store has to learn what the policy says of a node's routes. The lock is held.
func (t *tenant) judgeRoutes(id ident.Node) {
	granted, known := t.grantable(id)
	if !known || slices.Equal(granted, t.nodes[id].routes.Granted) {
		delete(t.ungranted, id)
		return
	}
	t.ungranted[id] = struct{}{}
	t.poke()
}

// grantable is what the policy approves of what a node offers. One that waits for approval may have its routes approved already. The lock is held.
func (t *tenant) grantable(id ident.Node) (granted []netip.Prefix, known bool) {
	n := t.nodes[id]
	if n == nil || t.books[n.network] == nil {
		return nil, false
	}
	x := compile.Node{ID: id, User: n.user, Tags: n.tags}
	approved := slices.DeleteFunc(slices.Clone(n.routes.Offered), func(p netip.Prefix) bool { return !t.books[n.network].network.Approves(&x, p) })
	return n.routes.Grantable(approved), true
}

// startGrants begins to write what is to be written, unless somebody does.
func (t *tenant) startGrants(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.granting && len(t.ungranted) > 0 {
		t.granting = true
		t.hub.loops.Go(func() { t.grant(ctx) })
	}
}

// grant writes what the policy approves until nothing is left, or the store does not take it: then the next round of the upkeep begins again.
func (t *tenant) grant(ctx context.Context) {
	for {
		id, routes, more := t.nextGrant()
		if !more {
			return
		}
		if _, err := t.hub.Store.For(t.id).GrantRoutes(ctx, id, routes); err != nil && !errors.Is(err, store.ErrNotFound) {
			if ctx.Err() == nil {
				t.hub.log(t.id, id).Warn("what the policy approves of a node's routes not stored", logx.Err, err)
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			t.ungranted[id], t.granting = struct{}{}, false
			return
		}
	}
}

func (t *tenant) nextGrant() (id ident.Node, routes []netip.Prefix, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.ungranted {
		delete(t.ungranted, id) // the commit brings it back if it is not enough
		if routes, known := t.grantable(id); known {
			return id, routes, true
		}
	}
	t.granting = false
	return 0, nil, false
}

// retryGrants has another look taken at what could not be written.
func (t *tenant) retryGrants() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ungranted) > 0 {
		t.poke()
	}
}
