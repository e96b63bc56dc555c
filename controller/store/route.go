package store

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/proto/control"
)

// Routes are the prefixes that are forwarded through the node: those that it offers and that are approved, by an admin or by the policy.
func (n *Node) Routes() (routes []netip.Prefix) {
	for _, p := range n.Offered {
		if slices.Contains(n.Approved, p) || slices.Contains(n.Granted, p) {
			routes = append(routes, p)
		}
	}
	return routes
}

// Grantable is what the policy may approve for the node, of what it would: what is offered and was not revoked.
func (n *Node) Grantable(routes []netip.Prefix) (granted []netip.Prefix) {
	for _, p := range n.Offered {
		if slices.Contains(routes, p) && !slices.Contains(n.Refused, p) {
			granted = append(granted, p)
		}
	}
	return granted
}

// Offer changes what the node offers. What the policy has approved of it goes with it.
func (n *Node) Offer(routes []netip.Prefix) {
	n.Offered = routes
	n.Granted = n.Grantable(n.Granted)
}

// Approval is what an admin changes about which routes of a node are approved. What it offers now does not matter: a route may be approved before. What
// is revoked is refused from then on, until an admin approves it.
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
	if routes = ordered(routes); len(routes) > control.MaxRoutes {
		return nil, fmt.Errorf("routes: %w: %d, at most %d are allowed for a node", ErrLimit, len(routes), control.MaxRoutes)
	}
	return routes, nil
}

func ordered(routes []netip.Prefix) []netip.Prefix {
	routes = slices.Clone(routes)
	slices.SortFunc(routes, control.CompareRoutes)
	return slices.Compact(routes)
}

// Apply changes a node, and says what is approved now that was not, and the other way round.
func (a Approval) Apply(n *Node, in Network) (approved, revoked []netip.Prefix, err error) {
	for _, list := range [][]netip.Prefix{a.Approve, a.Revoke} {
		if _, err := CheckRoutes(in, list); err != nil {
			return nil, nil, err
		}
	}
	routes, err := CheckRoutes(in, Without(slices.Concat(n.Approved, a.Approve), a.Revoke))
	if err != nil {
		return nil, nil, err
	}
	approved, revoked = Without(routes, n.Approved), Without(ordered(a.Revoke), n.Refused)
	n.Approved = routes
	n.Refused = ordered(Without(slices.Concat(n.Refused, revoked), approved))
	if len(n.Refused) > control.MaxRoutes { // to revoke does not fail: those that mean nothing now are forgotten
		n.Refused = slices.DeleteFunc(n.Refused, func(p netip.Prefix) bool { return !slices.Contains(n.Offered, p) })
	}
	n.Granted = n.Grantable(n.Granted)
	return approved, revoked, nil
}

// Without returns the prefixes of a that are not in b.
func Without(a, b []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(a), func(p netip.Prefix) bool { return slices.Contains(b, p) })
}
