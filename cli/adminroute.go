package cli

import (
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newAdminRoute(s *session) *cobra.Command {
	return nouns("route", "Approve networks that nodes offer to forward to",
		"A node may lead to networks behind it: an office, a data centre. It offers them (cvlan route offer); once they are approved here, or while the policy's "+
			"autoApprovers approve them, other nodes use them, as far as policy lets them reach the addresses in them.",
		"  cvlan admin route list\n  cvlan admin route approve gate 10.20.0.0/16",
		newAdminRouteList(s), newAdminRouteChange(s, true), newAdminRouteChange(s, false))
}

// adminRoute is a line of the list.
type adminRoute struct {
	Prefix   netip.Prefix `json:"prefix"`
	Node     string       `json:"node"`
	ID       string       `json:"node_id"`
	Network  string       `json:"network"`
	Offered  bool         `json:"offered"`
	Approved bool         `json:"approved"`
	ByAdmin  bool         `json:"by_admin"`
	ByPolicy bool         `json:"by_policy"`
	Revoked  bool         `json:"revoked"`
	Online   bool         `json:"online"`
}

func newAdminRouteList(s *session) *cobra.Command {
	var network string
	var waiting bool
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List networks that nodes offer, and those that are approved",
		Long:    "list shows which nodes offer to forward to which networks, what of that is approved by an admin or by the policy, what waits for it, and what an admin has revoked.",
		Example: "  cvlan admin route list --network office\n  cvlan admin route list --waiting --json",
		Args:    takes(),
	}
	c.Flags().StringVar(&network, "network", "", "only those of this network")
	c.Flags().BoolVar(&waiting, "waiting", false, "only those that are offered and wait for approval")
	return s.tells(c, func(w *work, _ []string) error {
		nodes, err := everyOf(w, admin.ListNodes, func(p admin.Page) admin.ListNodesIn {
			return admin.ListNodesIn{InTenant: w.InTenant, Page: p, Network: network, Routes: true}
		})
		if err != nil {
			return err
		}
		all := []adminRoute{}
		for i := range nodes {
			all = append(all, routesOfNode(&nodes[i], waiting)...)
		}
		return w.list("routes", all, func() { s.printAdminRoutes(all, waiting) })
	}, "routes.prefix")
}

func routesOfNode(n *admin.Node, waiting bool) (all []adminRoute) {
	for _, r := range n.Routes {
		if a := asAdminRoute(n, r); !waiting || a.waits() {
			all = append(all, a)
		}
	}
	return all
}

func asAdminRoute(n *admin.Node, r admin.NodeRoute) adminRoute {
	return adminRoute{r.Prefix, n.Name, n.ID.String(), n.NetworkName, r.Offered, r.Approved, r.ByAdmin, r.ByPolicy, r.Revoked, n.Online && !n.Pending}
}

func (r *adminRoute) waits() bool { return r.Offered && !r.Approved && !r.Revoked }

func (s *session) printAdminRoutes(all []adminRoute, waiting bool) {
	switch {
	case len(all) == 0 && waiting:
		s.IO.Notef("No route waits for approval.")
		return
	case len(all) == 0:
		s.IO.Notef("No node offers a route. On one that should, type: sudo cvlan route offer PREFIX")
		return
	}
	t := iox.Table{Heads: []string{"ROUTE", "NODE", "NETWORK", "STATE"}}
	waits := ""
	for _, r := range all {
		if r.waits() && waits == "" {
			waits = r.Node + " " + r.Prefix.String()
			if r.Prefix.Bits() == 0 { // half of an exit
				waits = r.Node + " " + exitWord
			}
		}
		t.Row(iox.Cell(iox.Bold, r.Prefix.String()), r.Node, r.Network, adminRouteState(r))
	}
	t.Print(s.IO)
	if waits != "" {
		s.IO.Notef("To let one be used: cvlan admin route approve %s", waits)
	}
}

func adminRouteState(r adminRoute) any {
	state := "approved"
	switch {
	case r.waits():
		return iox.Cell(iox.Amber, "waits for approval")
	case r.Revoked:
		state = "revoked"
	case !r.ByAdmin:
		state = "approved by policy"
	}
	switch {
	case !r.Offered:
		return iox.Cell(iox.Dim, state+", not offered")
	case r.Revoked:
		return iox.Cell(iox.Dim, state)
	case !r.Online:
		return iox.Cell(iox.Dim, state+", node offline")
	}
	return iox.Cell(iox.Green, state)
}

func newAdminRouteChange(s *session, approve bool) *cobra.Command {
	verb, done, short := "approve", "approved", "Let networks be reached through a node"
	long := "approve lets other nodes reach networks through a node that offers them. Who may reach what in them the policy says. A network may be approved before it is offered."
	if !approve {
		verb, done, short = "revoke", "revoked", "Let networks be reached through a node no longer"
		long = "revoke takes back what approve gave, or the policy's autoApprovers, and refuses what waits. It holds, whatever the policy says and the node offers, until the network is approved by hand."
	}
	return s.tells(&cobra.Command{
		Use: verb + " NODE PREFIX...", Short: short, Long: long + " The word exit stands for the whole internet: see cvlan exit.",
		Example: "  cvlan admin route " + verb + " gate 10.20.0.0/16\n  cvlan admin route " + verb + " gate.office 192.168.7.0/24 fd12::/64\n  cvlan admin route " + verb + " gate exit",
		Args:    takesMore("NODE", "PREFIX"),
	}, func(w *work, args []string) error {
		routes, err := prefixArgs(args[1:])
		if err != nil {
			return err
		}
		in := admin.ChangeRoutesIn{OneNodeIn: w.node(args[0]), Body: admin.RouteChange{Approve: routes}}
		if !approve {
			in.Body = admin.RouteChange{Revoke: routes}
		}
		n, err := admin.Call(w, w.client, admin.ChangeRoutes, in)
		if err != nil {
			return err
		}
		return w.show(n.Body, func() { s.routesChanged(n.Body, routes, done) })
	}, "id")
}

// prefixArgs reads prefixes, and says of one with bits behind its length what was meant.
func prefixArgs(words []string) (all []netip.Prefix, err error) {
	for _, word := range spelled(words) {
		p, err := netip.ParsePrefix(word)
		if a, wrong := netip.ParseAddr(word); err != nil && wrong == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p != p.Masked() {
			hint := "write a network and its length, such as 10.20.0.0/16"
			if err == nil {
				hint = "write " + p.Masked().String()
			}
			return nil, &iox.Error{Exit: iox.Usage, What: "read " + quoted(word), Why: "it is not a network", Hint: hint}
		}
		all = append(all, p)
	}
	return all, nil
}

// routesChanged says what holds now, and what is missing for it to be of use.
func (s *session) routesChanged(n admin.Node, routes []netip.Prefix, done string) {
	var idle []string
	for _, p := range routes {
		s.IO.Printf("%s through %s is %s", p, n.Name, done)
		for _, r := range n.Routes {
			switch {
			case r.Prefix != p || !r.Approved || r.Offered:
			case p.Bits() == 0:
				s.IO.Notef("%s does not offer %s. An exit does, as soon as it has a default route of that kind itself: sudo cvlan exit offer", n.Name, p)
			default:
				idle = append(idle, p.String())
			}
		}
	}
	if len(idle) > 0 {
		s.IO.Notef("%s does not offer %s. On it, type: sudo cvlan route offer %s", n.Name, strings.Join(idle, ", "), strings.Join(idle, " "))
	}
}
