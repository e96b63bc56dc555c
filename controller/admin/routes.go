package admin

import (
	"context"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

func (s *server) changeRoutes(ctx context.Context, t *tenant, in *admin.ChangeRoutesIn) (*admin.NodeOut, error) {
	for _, p := range in.Body.Approve {
		if slices.Contains(in.Body.Revoke, p) {
			return nil, admin.CodeInvalid.Problem(title(t.route), p.String()+" is both to be approved and to be revoked", "")
		}
	}
	return s.changeNode(ctx, t, in.Node, in.IfMatch, func(ctx context.Context, actor string, id ident.Node, ifVersion uint64) (store.Node, error) {
		return t.ApproveRoutes(ctx, actor, id, store.Approval{Approve: in.Body.Approve, Revoke: in.Body.Revoke}, ifVersion)
	})
}

// nodeRoutes shows what a node offers and what was said of it, in order.
func nodeRoutes(n *store.Node) (list []admin.NodeRoute) {
	all := slices.Concat(n.Offered, n.Approved, n.Refused)
	slices.SortFunc(all, control.CompareRoutes)
	for _, p := range slices.Compact(all) {
		has := func(routes []netip.Prefix) bool { return slices.Contains(routes, p) }
		list = append(list, admin.NodeRoute{Prefix: p, Offered: has(n.Offered), Approved: has(n.Approved) || has(n.Granted),
			ByAdmin: has(n.Approved), ByPolicy: has(n.Granted), Revoked: has(n.Refused)})
	}
	return list
}
