package cli

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/plan"
)

// describeRouters reads what admins have said of networks behind nodes.
func (w *work) describeRouters(network string) (all []plan.Router, err error) {
	nodes, err := everyOf(w, admin.ListNodes, func(p admin.Page) admin.ListNodesIn {
		return admin.ListNodesIn{InTenant: w.InTenant, Page: p, Network: network, Routes: true}
	})
	for i := range nodes {
		if r := asRouter(&nodes[i]); len(r.Approved)+len(r.Revoked) > 0 {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b plan.Router) int { return strings.Compare(a.Node, b.Node) })
	return all, err
}

func asRouter(n *admin.Node) (r plan.Router) {
	r.Node = n.Name
	for _, x := range n.Routes {
		if x.ByAdmin {
			r.Approved = append(r.Approved, x.Prefix.String())
		}
		if x.Revoked {
			r.Revoked = append(r.Revoked, x.Prefix.String())
		}
	}
	return r
}

// findRouters adds those nodes of the file that are there, and of whose routes nothing was said yet.
func (w *work) findRouters(have, want *plan.Tenant) error {
	for _, n := range want.Networks {
		at := slices.IndexFunc(have.Networks, func(h plan.Network) bool { return h.Name == n.Name })
		if at < 0 {
			continue
		}
		routers := &have.Networks[at].Routers
		for _, r := range n.Routers {
			if slices.ContainsFunc(*routers, func(h plan.Router) bool { return h.Node == r.Node }) {
				continue
			}
			found, err := admin.Call(w, w.client, admin.GetNode, w.node(r.Node+"."+n.Name))
			if p := (*admin.Problem)(nil); errors.As(err, &p) && p.Code == admin.CodeNotFound {
				continue
			} else if err != nil {
				return err
			}
			*routers = append(*routers, asRouter(&found.Body))
		}
	}
	return nil
}

func (w *work) stepRoutes(s *plan.Step) error {
	var change admin.RouteChange
	for _, half := range []struct {
		texts []string
		to    *[]netip.Prefix
	}{{s.Router.Approved, &change.Approve}, {s.Router.Revoked, &change.Revoke}} {
		for _, text := range half.texts {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return err
			}
			*half.to = append(*half.to, p)
		}
	}
	return one(w, w.client, admin.ChangeRoutes, admin.ChangeRoutesIn{OneNodeIn: w.node(s.Name), Body: change})
}
