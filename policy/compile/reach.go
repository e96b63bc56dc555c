package compile

import (
	"net/netip"
	"slices"
)

// Reach is what addresses routes stand for. One of no bits makes an exit to the internet, which is no way to what is private behind it: it stands for the
// public addresses of its family. What an exit leads to besides, it has routes for. The others stand for themselves.
func Reach(routes []netip.Prefix) []netip.Prefix {
	if !slices.ContainsFunc(routes, isExit) {
		return routes
	}
	var all []netip.Prefix
	for _, r := range routes {
		switch {
		case !isExit(r):
			all = append(all, r)
		case r.Addr().Is4():
			all = append(all, public4...)
		default:
			all = append(all, public6...)
		}
	}
	return all
}

func isExit(p netip.Prefix) bool { return p.IsValid() && p.Bits() == 0 }

// The public addresses. Of IPv6, what has been given out (RFC 4291, section 2.4 and IANA's registry) and is not special.
var (
	public4 = carve(netip.MustParsePrefix("0.0.0.0/0"), special)
	public6 = carve(netip.MustParsePrefix("2000::/3"), special)
)

// carve cuts holes out of a prefix, and returns what is left in order.
func carve(p netip.Prefix, holes []netip.Prefix) []netip.Prefix {
	whole := true
	for _, h := range holes {
		if h.Overlaps(p) {
			if h.Bits() <= p.Bits() {
				return nil
			}
			whole = false
		}
	}
	if whole {
		return []netip.Prefix{p}
	}
	low, high := halves(p)
	return append(carve(low, holes), carve(high, holes)...)
}

func halves(p netip.Prefix) (low, high netip.Prefix) {
	b := p.Addr().AsSlice()
	b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(p.Addr(), p.Bits()+1), netip.PrefixFrom(a, p.Bits()+1)
}
