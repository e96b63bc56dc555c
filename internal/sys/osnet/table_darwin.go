package osnet

import (
	"net/netip"

	"golang.org/x/net/route"
	"golang.org/x/sys/unix"
)

// hostRanges offers every range that the host has an address in or a route to, until offer returns false.
func hostRanges(offer func(netip.Prefix, string) bool) error {
	more, err := offerInterfaces(offer)
	if err != nil || !more {
		return err
	}
	names, err := namesByIndex()
	if err != nil {
		return err
	}
	return eachRoute(func(m *route.RouteMessage) bool {
		p, ok := destination(m)
		return !ok || offer(p, names[m.Index])
	})
}

// eachRoute visits the unicast routes of the kernel's table that are up.
func eachRoute(visit func(*route.RouteMessage) bool) error {
	raw, err := route.FetchRIB(unix.AF_UNSPEC, route.RIBTypeRoute, 0)
	if err != nil {
		return err
	}
	all, err := route.ParseRIB(route.RIBTypeRoute, raw)
	if err != nil {
		return err
	}
	for _, m := range all {
		r, ok := m.(*route.RouteMessage)
		const ignored = unix.RTF_REJECT | unix.RTF_BLACKHOLE | unix.RTF_MULTICAST | unix.RTF_BROADCAST | unix.RTF_LOCAL | unix.RTF_WASCLONED | unix.RTF_LLINFO
		if ok && r.Flags&unix.RTF_UP != 0 && r.Flags&ignored == 0 && !visit(r) {
			return nil
		}
	}
	return nil
}

// destination reads the range out of a route message.
func destination(m *route.RouteMessage) (netip.Prefix, bool) {
	if len(m.Addrs) <= unix.RTAX_DST {
		return netip.Prefix{}, false
	}
	var mask route.Addr
	if len(m.Addrs) > unix.RTAX_NETMASK {
		mask = m.Addrs[unix.RTAX_NETMASK]
	}
	switch dst := m.Addrs[unix.RTAX_DST].(type) {
	case *route.Inet4Addr:
		bits := 32
		if v, ok := mask.(*route.Inet4Addr); ok {
			bits = ones(v.IP[:])
		}
		return netip.PrefixFrom(netip.AddrFrom4(dst.IP), bits), true
	case *route.Inet6Addr:
		bits := 128
		if v, ok := mask.(*route.Inet6Addr); ok {
			bits = ones(v.IP[:])
		}
		return netip.PrefixFrom(netip.AddrFrom16(dst.IP), bits), true
	}
	return netip.Prefix{}, false
}

// ones counts the leading one bits of a mask.
func ones(mask []byte) (n int) {
	for _, b := range mask {
		for ; b&0x80 != 0; b <<= 1 {
			n++
		}
	}
	return n
}

// localCandidates lists the addresses of interfaces that are up; one with a default route comes first.
func localCandidates() ([]candidate, error) {
	outward := map[int]bool{}
	if err := eachRoute(func(m *route.RouteMessage) bool {
		if p, ok := destination(m); ok && p.Bits() == 0 {
			outward[m.Index] = true
		}
		return true
	}); err != nil {
		return nil, err
	}
	return interfaceCandidates(outward)
}
