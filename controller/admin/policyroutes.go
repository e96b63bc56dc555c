package admin

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
)

// maxApprovals bounds the routes whose approval is told to begin or to end.
const maxApprovals = 20

// approval is of a route that another document begins to approve, or approves no longer.
type approval struct {
	node   string
	route  netip.Prefix
	begins bool
}

func (a *approval) tell() admin.PolicyProblem {
	p := admin.PolicyProblem{Severity: "warning", Path: "autoApprovers", What: fmt.Sprintf("approves %s behind %s, which waits", a.route, a.node)}
	if !a.begins {
		p.What = fmt.Sprintf("approves %s behind %s no longer", a.route, a.node)
		p.Hint = fmt.Sprintf("to keep it: cvlan admin route approve %s %s", a.node, a.route)
	}
	return p
}

// routers are the nodes of a network that offer routes, if this document or that in force approves any.
func (s *server) routers(ctx context.Context, t *tenant, n store.Network, doc *acl.Document) ([]store.Node, error) {
	asked := approves(doc)
	if err := s.Rules.Ask(ctx, t.ID, n.ID, func(c *compile.Network) { asked = asked || approves(c.Document()) }); err != nil || !asked {
		return nil, err
	}
	all, err := t.Nodes(ctx, n.ID)
	return slices.DeleteFunc(all, func(x store.Node) bool { return len(x.Offered) == 0 }), err
}

func approves(doc *acl.Document) bool { return len(doc.Routes)+len(doc.ExitNode) > 0 }

// approvals finds what changes for what nobody has approved by hand.
func approvals(next *compile.Network, routers []store.Node) (all []approval) {
	for i := range routers {
		n := &routers[i]
		x := compile.Node{ID: n.ID, User: n.User, Tags: n.Tags}
		granted := n.Grantable(slices.DeleteFunc(slices.Clone(n.Offered), func(p netip.Prefix) bool { return !next.Approves(&x, p) }))
		for _, p := range n.Offered {
			is, was := slices.Contains(granted, p), slices.Contains(n.Granted, p)
			if is != was && !slices.Contains(n.Approved, p) {
				all = append(all, approval{n.Name, p, is})
			}
		}
	}
	return all
}

func tellApprovals(all []approval) (told []admin.PolicyProblem) {
	for i := range all[:min(len(all), maxApprovals)] {
		told = append(told, all[i].tell())
	}
	if more := len(all) - maxApprovals; more > 0 {
		told = append(told, admin.PolicyProblem{Severity: "warning", Path: "autoApprovers", More: more, What: fmt.Sprintf("changes the approval of %d more routes", more)})
	}
	return told
}
