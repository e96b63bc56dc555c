package names

import (
	"fmt"
	"net/netip"
	"strings"
)

// Found is what the book says about a name.
type Found struct {
	Ours   bool         // else somebody else is to be asked
	Exists bool         // the name does, with or without records
	Addrs  []netip.Addr // that the name has
	Name   string       // that an address has, for a reverse name; without the final dot
	Zone   string       // to which the name belongs
	Why    string       // for people
}

// Look says what there is about a name: in lower case, without the final dot.
func (b *Book) Look(name string) Found {
	if p, exact, ok := reversed(name); ok {
		return b.lookBack(name, p, exact)
	}
	if !within(name, Root) {
		return Found{Why: "it is not in " + Root + ", nor of an address in a network"}
	}
	f := Found{Ours: true, Zone: Root}
	if h, ok := b.hosts[name]; ok {
		f.Exists, f.Addrs, f.Zone, f.Why = true, h.addrs, parent(name), "a machine of the network "+h.network
		return f
	}
	if b.above[name] {
		f.Exists, f.Why = true, "a domain above those of networks"
		return f
	}
	for d := name; d != ""; d = parent(d) {
		if network, ok := b.zones[d]; ok {
			f.Exists, f.Zone = d == name, d
			if f.Why = "the domain of the network " + network; d != name {
				f.Why = fmt.Sprintf("the network %s has no machine of that name, or its rules hide it", network)
			}
			return f
		}
	}
	f.Why = "this machine is in no network with such a domain, or the network is down or has dns off"
	return f
}

// lookBack is Look for reverse names. Exact says that the name is just the prefix's, and has no further labels before it.
func (b *Book) lookBack(name string, p netip.Prefix, exact bool) Found {
	for _, r := range b.ranges {
		if p.Bits() < r.Bits() || !r.Contains(p.Addr()) {
			continue
		}
		f := Found{Ours: true, Zone: reverseZone(name, p, r)}
		full, known := b.whose[p.Addr()]
		switch {
		case exact && !p.IsSingleIP():
			f.Exists, f.Why = true, "a part of a network's range"
		case exact && known:
			f.Exists, f.Name, f.Why = true, full, "the address of a machine"
		default:
			f.Why = "no machine that this one may know has that address"
		}
		return f
	}
	return Found{Why: "the address is in no network's range"}
}

// The domains of reverse names (RFC 1035, section 3.5, and RFC 3596, section 2.5), and how many bits a label has.
const (
	reverse4, labelBits4 = "in-addr.arpa", 8
	reverse6, labelBits6 = "ip6.arpa", 4
)

// reversed reads a reverse name: the prefix that its last labels say, as far as they say one, and whether there is nothing before them.
func reversed(name string) (p netip.Prefix, exact, ok bool) {
	domain, bits, base := reverse4, labelBits4, 10
	bytes := make([]byte, 4, 16)
	if within(name, reverse6) {
		domain, bits, base, bytes = reverse6, labelBits6, 16, bytes[:16]
	} else if !within(name, reverse4) {
		return p, false, false
	}
	rest := strings.TrimSuffix(strings.TrimSuffix(name, domain), ".")
	n := 0
	for ; rest != "" && n < len(bytes)*8; n += bits {
		at := strings.LastIndexByte(rest, '.') + 1
		v, ok := digits(rest[at:], base, bits)
		if !ok {
			break
		}
		bytes[n/8] |= v << (8 - bits - n%8)
		rest = rest[:max(at-1, 0)]
	}
	a, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(a, n), rest == "", true
}

// digits reads one label's number, written in the one way in which it is written.
func digits(s string, base, bits int) (byte, bool) {
	if s == "" || len(s) > 3 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	v := 0
	for _, c := range []byte(s) {
		d := strings.IndexByte("0123456789abcdef", c)
		if d < 0 || d >= base {
			return 0, false
		}
		v = v*base + d
	}
	return byte(v), v < 1<<bits
}

// reverseZone is the part of a reverse name that just lies within a range.
func reverseZone(name string, p, within netip.Prefix) string {
	bits, domain := labelBits4, reverse4
	if p.Addr().Is6() {
		bits, domain = labelBits6, reverse6
	}
	labels := strings.Split(name, ".")
	keep := (within.Bits()+bits-1)/bits + strings.Count(domain, ".") + 1
	return strings.Join(labels[len(labels)-keep:], ".")
}

// ReverseZones are the domains that hold the reverse names of a range and no others: one, or where it ends within a label up to 128.
func ReverseZones(r netip.Prefix) (all []string) {
	bits, domain, base := labelBits4, reverse4, "%d."
	if r.Addr().Is6() {
		bits, domain, base = labelBits6, reverse6, "%x."
	}
	r = r.Masked()
	whole := (r.Bits() + bits - 1) / bits // labels
	if whole == 0 {
		return []string{domain}
	}
	bytes := r.Addr().AsSlice()
	tail := ""
	for i := range whole - 1 {
		tail = fmt.Sprintf(base, label(bytes, i, bits)) + tail
	}
	last := label(bytes, whole-1, bits)
	for i := range 1 << (whole*bits - r.Bits()) {
		all = append(all, fmt.Sprintf(base, last+i)+tail+domain)
	}
	return all
}

// label is the number of a label of so many bits, counted from the front of an address.
func label(bytes []byte, i, bits int) int {
	at := i * bits
	return int(bytes[at/8]) >> (8 - bits - at%8) & (1<<bits - 1)
}
