package ipam

import (
	"fmt"
	"net/netip"
)

// Sizes of ranges, as prefix lengths: from the largest to the smallest allowed.
const (
	Largest4, Smallest4 = 8, 30
	Largest6, Smallest6 = 48, 120
)

// reserved are the ranges that no node can have an address in. Documentation ranges are not among them: laboratories use them.
var reserved = []struct {
	p   netip.Prefix
	why string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "means this host (RFC 1122)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "is loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "is link-local"},
	{netip.MustParsePrefix("224.0.0.0/4"), "is multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "is reserved (RFC 1112), and systems do not route it"},
	{netip.MustParsePrefix("::/8"), "is loopback or an embedded IPv4 address"},
	{netip.MustParsePrefix("fe80::/10"), "is link-local"},
	{netip.MustParsePrefix("ff00::/8"), "is multicast"},
}

// Check4 reports why p cannot be a network's IPv4 range, or nil. Public ranges are allowed: some own them and use them inside.
func Check4(p netip.Prefix) error {
	return check(p, "IPv4", "10.20.0.0/16", p.IsValid() && p.Addr().Is4(), Largest4, Smallest4)
}

// Check6 reports why p cannot be a network's IPv6 range, or nil.
func Check6(p netip.Prefix) error {
	return check(p, "IPv6", "fd12:3456:789a::/64", p.IsValid() && p.Addr().Is6() && !p.Addr().Is4In6() && p.Addr().Zone() == "", Largest6, Smallest6)
}

func check(p netip.Prefix, kind, example string, family bool, largest, smallest int) error {
	switch {
	case !family:
		return fmt.Errorf("range %v: not an %s range; write it as %s", p, kind, example)
	case p != p.Masked():
		return fmt.Errorf("range %v: has address bits after its prefix; did you mean %v?", p, p.Masked())
	}
	for _, r := range reserved {
		if r.p.Overlaps(p) {
			return fmt.Errorf("range %v: %v %s; choose another, such as %s", p, r.p, r.why, example)
		}
	}
	switch {
	case p.Bits() < largest:
		return fmt.Errorf("range %v: too large; a network's %s range is at most a /%d", p, kind, largest)
	case p.Bits() > smallest:
		return fmt.Errorf("range %v: too small; a network's %s range is at least a /%d", p, kind, smallest)
	}
	return nil
}

// Named is a range and whose it is.
type Named struct {
	Name  string
	Range netip.Prefix
}

// Overlap returns the first of taken that shares addresses with p.
func Overlap(p netip.Prefix, taken []Named) (Named, bool) {
	for _, t := range taken {
		if t.Range.IsValid() && t.Range.Overlaps(p) {
			return t, true
		}
	}
	return Named{}, false
}
