package store

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/proto/control"
)

// Routes are the prefixes that are forwarded through the node: those that it offers and that are approved.
func (n *Node) Routes() (routes []netip.Prefix) {
	for _, p := range n.Offered {
		if slices.Contains(n.Approved, p) {
			routes = append(routes, p)
		}
	}
	return routes
}

// Approval is what changes about which routes of a node are approved. What it offers now does not matter: a route may be approved before.
type Approval struct {
	Approve, Revoke []netip.Prefix
}

// CheckRoutes puts prefixes in order, each once, and reports why a network's node cannot have them.
func CheckRoutes(n Network, routes []netip.Prefix) ([]netip.Prefix, error) {
	for _, p := range routes {
		if err := control.CheckRoute(p, n.Range4, n.Range6); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	routes = slices.Clone(routes)
	slices.SortFunc(routes, control.CompareRoutes)
	if routes = slices.Compact(routes); len(routes) > control.MaxRoutes {
		return nil, fmt.Errorf("routes: %w: %d, at most %d are allowed for a node", ErrLimit, len(routes), control.MaxRoutes)
	}
	return routes, nil
}

// Of returns what is approved of a node's routes after a change: news is false if it changes nothing.
func (a Approval) Of(n *Node, in Network) (routes []netip.Prefix, news bool, err error) {
	if _, err := CheckRoutes(in, a.Approve); err != nil {
		return nil, false, err
	}
	routes = slices.DeleteFunc(slices.Concat(n.Approved, a.Approve), func(p netip.Prefix) bool { return slices.Contains(a.Revoke, p) })
	if routes, err = CheckRoutes(in, routes); err != nil {
		return nil, false, err
	}
	return routes, !slices.Equal(routes, n.Approved), nil
}
