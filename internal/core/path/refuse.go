package path

import (
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/proto/disco"
)

// refusal knows where no peer is, whoever says so.
type refusal struct {
	prefixes   []netip.Prefix // of the overlay
	near       []netip.Prefix // of our interfaces
	broadcasts []netip.Addr
	own        []netip.Addr // of our interfaces: what listens there takes its sender for a friend, as on loopback
	loopback   bool         // is allowed, unless prefixes say otherwise
}

func (r *refusal) setOwn(o Own) {
	r.near, r.broadcasts, r.own = o.Prefixes, r.broadcasts[:0], r.own[:0]
	for _, c := range o.Candidates {
		if c.Kind == disco.Host {
			r.own = append(r.own, c.Addr.Addr().Unmap())
		}
	}
	for _, p := range o.Prefixes {
		if p.Addr().Is4() && p.Bits() < 31 && p.Bits() >= 0 {
			a := p.Masked().Addr().As4()
			for i := p.Bits(); i < 32; i++ {
				a[i/8] |= 0x80 >> (i % 8)
			}
			r.broadcasts = append(r.broadcasts, netip.AddrFrom4(a))
		}
	}
}

// takes reports whether a peer may be at an address.
func (r *refusal) takes(a netip.AddrPort) bool {
	ip := a.Addr().Unmap()
	return usable(a) && !r.refuses(ip) && !r.refuses(inner(ip))
}

func (r *refusal) refuses(a netip.Addr) bool {
	return Forbidden(a) && !(r.loopback && a.IsLoopback()) || slices.Contains(r.broadcasts, a) || slices.Contains(r.own, a) || slices.ContainsFunc(r.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (r *refusal) isNear(a netip.Addr) bool {
	return slices.ContainsFunc(r.near, func(p netip.Prefix) bool { return p.Contains(a) })
}

// nowhere are ranges in which no peer can be, or where something listens that believes whoever reaches it: this host itself, link-local
// addresses with the metadata services of clouds, those services elsewhere, and what is reserved.
var nowhere = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.192/32"),
	netip.MustParsePrefix("224.0.0.0/3"), // multicast, reserved, broadcast
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fec0::/10"), netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::254/128"), netip.MustParsePrefix("fd20:ce::254/128"),
	// What leads to IPv4 addresses that nobody can read off: of a translator's own choice (RFC 8215), SIIT's (RFC 7915), Teredo's (RFC 4380).
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("2001::/32"),
}

// Under these prefixes an IPv4 address stands in the last or the second 32 bits: NAT64 (RFC 6052) and 6to4 (RFC 3056). ISATAP (RFC 5214) has it
// in the last, after 0:5efe or 200:5efe, under any prefix.
var nat64, sixToFour = netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16")

// Loopback returns the prefixes of this host's own addresses.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// Forbidden reports whether no peer is at an address, whoever says so.
func Forbidden(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range nowhere {
		if p.Contains(a) {
			return true
		}
	}
	to := inner(a)
	return to.IsValid() && Forbidden(to)
}

// inner returns the IPv4 address that a datagram to an IPv6 address gets to in the end; invalid if there is none.
func inner(a netip.Addr) netip.Addr {
	switch b := a.As16(); {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:]))
	case a.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return netip.Addr{}
}
