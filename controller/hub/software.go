package hub

import (
	"context"
	"maps"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// describes stores what a node says of its machine, if that is news: postures go by it. It is done before the node gets its rules, so
// that they are those for the machine as it is. That it cannot be stored now ends no session.
func (n *session) describes(ctx context.Context, s *pb.Software) {
	if s == nil {
		return
	}
	r := store.ReportOf(s)
	if n.tenant.hasHeard(n, r) {
		return
	}
	if _, err := n.tenant.hub.Store.For(n.tenant.id).ReportNode(ctx, n.node, r); err != nil {
		n.tenant.hub.log(n.tenant.id, n.node).Debug("what a node says of its machine not stored", logx.Err, err)
	}
}

// hasHeard reports whether a report is no news. Of a node that waits for approval nothing is known here; the store knows.
func (t *tenant) hasHeard(n *session, r store.Report) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.nodes[n.node]
	if known == nil || t.books[known.network] == nil {
		return false
	}
	x, ok := t.books[known.network].network.Node(n.node)
	return ok && maps.Equal(x.Attrs, r.Attrs())
}
