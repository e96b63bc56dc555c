package osnet

import (
	"cmp"
	"net/netip"
	"slices"
)

// clashFinder collects overlaps of the host's ranges with those wanted.
type clashFinder struct {
	wanted []netip.Prefix
	except []string
	found  map[Clash]bool
}

func newClashFinder(wanted []netip.Prefix, except []string) *clashFinder {
	return &clashFinder{wanted, except, map[Clash]bool{}}
}

// offer takes one range that the host has, and the interface or the kind of route that has it. It returns false when enough is
// found.
func (f *clashFinder) offer(have netip.Prefix, on string) bool {
	have = netip.PrefixFrom(have.Addr().Unmap().WithZone(""), have.Bits()).Masked()
	if !have.IsValid() || everywhere(have) || local(have.Addr()) || slices.Contains(f.except, on) {
		return true
	}
	for _, w := range f.wanted {
		if w.Overlaps(have) {
			f.found[Clash{have, on}] = true
			break
		}
	}
	return len(f.found) < MaxClashes
}

func (f *clashFinder) sorted() []Clash {
	all := make([]Clash, 0, len(f.found))
	for c := range f.found {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Clash) int {
		return cmp.Or(a.Range.Addr().Compare(b.Range.Addr()), cmp.Compare(a.Range.Bits(), b.Range.Bits()), cmp.Compare(a.On, b.On))
	})
	return all
}

// everywhere reports whether a route is a default route in one of its disguises: 0.0.0.0/0, the halves 0.0.0.0/1 and 128.0.0.0/1
// that full-tunnel VPNs set, ::/0, and 2000::/3, which is all of the assigned IPv6 internet.
func everywhere(p netip.Prefix) bool { return p.Bits() <= 1 || p.Addr().Is6() && p.Bits() <= 3 }

// local reports whether an address means something only on its own link or machine.
func local(a netip.Addr) bool {
	return a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast()
}
