package osnet

import (
	"cmp"
	"net/netip"
	"slices"
)

// candidate is one address of the host, with what decides how good it is for others to reach us at.
type candidate struct {
	addr      netip.Addr
	bits      int // of its network's prefix
	iface     string
	onDefault bool // the interface has a default route
	virtual   bool // a bridge, a veth, another tunnel: others can rarely reach what is behind
	temporary bool // a privacy address (RFC 8981), which will go away
}

// rank returns the addresses at which others might reach this machine, most wanted first.
func rank(all []candidate, except []string) (ranked []netip.Addr) {
	for _, c := range ordered(all, except) {
		if !slices.Contains(ranked, c.addr) && len(ranked) < MaxLocalAddrs {
			ranked = append(ranked, c.addr)
		}
	}
	return ranked
}

// networks returns the networks of the same addresses; an address that stands alone has none.
func networks(all []candidate, except []string) (found []netip.Prefix) {
	for _, c := range ordered(all, except) {
		p := netip.PrefixFrom(c.addr, c.bits).Masked()
		if p.IsValid() && c.bits > 0 && !p.IsSingleIP() && !slices.Contains(found, p) && len(found) < MaxLocalAddrs {
			found = append(found, p)
		}
	}
	return found
}

func ordered(all []candidate, except []string) []candidate {
	all = slices.DeleteFunc(slices.Clone(all), func(c candidate) bool {
		return local(c.addr) || c.addr.IsUnspecified() || slices.Contains(except, c.iface)
	})
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(
			last(!a.onDefault, !b.onDefault),
			last(a.virtual, b.virtual),
			last(a.temporary, b.temporary),
			last(a.addr.Is6(), b.addr.Is6()), // where both work, IPv4 has 20 bytes more room for packets
			a.addr.Compare(b.addr),
		)
	})
	return all
}

// last sorts what is so behind what is not.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
