package control

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// MaxRoutes is how many prefixes a node may offer, and may have approved.
const MaxRoutes = 64

// CompareRoutes is the order in which prefixes are told: by address, the shorter first.
func CompareRoutes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// CheckRoute says why nobody can forward to a prefix; nil if somebody may. The ranges are those of the network: what lies in them, or holds a part of
// them, belongs to its nodes. A prefix of no bits is an exit node's, and holds all.
func CheckRoute(p netip.Prefix, ranges ...netip.Prefix) error {
	a := p.Addr()
	switch {
	case !p.IsValid() || a.Is4In6() || a.Zone() != "":
		return fmt.Errorf("%s is not a prefix", p)
	case p != p.Masked():
		return fmt.Errorf("%s has bits behind its length; write %s", p, p.Masked())
	case p.Bits() == 0:
		return nil
	}
	for _, bad := range unroutable {
		if bad.Overlaps(p) {
			return fmt.Errorf("%s: nothing in %s is forwarded", p, bad)
		}
	}
	for _, r := range ranges {
		if r.IsValid() && r.Overlaps(p) {
			return fmt.Errorf("%s overlaps the network's own range %s", p, r)
		}
	}
	return nil
}

// unroutable are the unspecified addresses, loopback, link-local addresses and multicast (RFC 6890, RFC 4291 section 2.4), and IPv4 in IPv6.
var unroutable = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("::/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

// AppendRoutes appends the form in which prefixes travel.
func AppendRoutes(b [][]byte, routes []netip.Prefix) [][]byte {
	for _, p := range routes {
		b = append(b, AppendRange(nil, p))
	}
	return b
}

// ParseRoutes reads prefixes and puts them in order, each once. It leaves out what no prefix is, what CheckRoute refuses, and those above MaxRoutes; err says the
// first reason.
func ParseRoutes(list [][]byte, ranges ...netip.Prefix) (routes []netip.Prefix, err error) {
	for _, b := range list {
		p, ok := ParseRange(b)
		why := error(nil)
		if !ok || len(b) == 0 {
			why = fmt.Errorf("%d bytes that are no prefix", len(b))
		} else if why = CheckRoute(p, ranges...); why == nil {
			routes = append(routes, p)
		}
		err = cmp.Or(err, why)
		if len(routes) > 2*MaxRoutes {
			break // more than anybody of ours sends
		}
	}
	slices.SortFunc(routes, CompareRoutes)
	routes = slices.Compact(routes)
	if len(routes) > MaxRoutes {
		routes, err = routes[:MaxRoutes], cmp.Or(err, fmt.Errorf("more than %d prefixes", MaxRoutes))
	}
	return routes, err
}
