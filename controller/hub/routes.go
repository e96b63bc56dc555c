package hub

import (
	"context"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// offers stores what a node offers to forward to, if that is news, and approves what the policy's autoApprovers let it. That it cannot be stored now
// ends no session: the node says it again with its next report.
func (n *session) offers(ctx context.Context, r *pb.Report) {
	offered, approve, news := n.tenant.offered(n, r)
	if !news {
		return
	}
	if _, err := n.tenant.hub.Store.For(n.tenant.id).OfferRoutes(ctx, n.node, offered, approve); err != nil {
		n.tenant.hub.log(n.tenant.id, n.node).Warn("what a node offers to forward to not stored", logx.Err, err)
	}
}

// offered reads what a node offers, as far as its network lets it, and which of that its policy approves.
func (t *tenant) offered(n *session, r *pb.Report) (offered, approve []netip.Prefix, news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.nodes[n.node]
	if known == nil || t.books[known.network] == nil {
		return nil, nil, false
	}
	b := t.books[known.network]
	offered, err := control.ParseRoutes(r.GetRoutes(), b.overlay...)
	if err != nil {
		t.hub.log(t.id, n.node).Warn("a node offers what it cannot forward to", logx.Err, err)
	}
	if slices.Equal(offered, known.offered) {
		return nil, nil, false
	}
	x := compile.Node{ID: n.node, User: known.user, Tags: known.tags} // one that waits for approval may have its routes approved already
	for _, p := range offered {
		if b.network.Approves(&x, p) {
			approve = append(approve, p)
		}
	}
	return offered, approve, true
}
