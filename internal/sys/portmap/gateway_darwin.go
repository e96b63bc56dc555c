package portmap

import (
	"net/netip"

	"golang.org/x/net/route"
	"golang.org/x/sys/unix"
)

// defaultGateway finds the gateway of the first default route. Those of tunnels lead to no gateway that answers.
func defaultGateway(six bool) (netip.Addr, int, error) {
	family := unix.AF_INET
	if six {
		family = unix.AF_INET6
	}
	raw, err := route.FetchRIB(family, route.RIBTypeRoute, 0)
	if err != nil {
		return netip.Addr{}, 0, err
	}
	all, err := route.ParseRIB(route.RIBTypeRoute, raw)
	if err != nil {
		return netip.Addr{}, 0, err
	}
	for _, m := range all {
		r, ok := m.(*route.RouteMessage)
		if !ok || r.Flags&(unix.RTF_UP|unix.RTF_GATEWAY) != unix.RTF_UP|unix.RTF_GATEWAY || len(r.Addrs) <= unix.RTAX_GATEWAY {
			continue
		}
		dst, gw := address(r.Addrs[unix.RTAX_DST]), address(r.Addrs[unix.RTAX_GATEWAY])
		if dst.IsUnspecified() && gw.IsValid() && gw.Is6() == six {
			return gw, r.Index, nil
		}
	}
	return netip.Addr{}, 0, ErrNoGateway
}

// address reads one of the addresses of a route; invalid: it is none.
func address(a route.Addr) netip.Addr {
	switch a := a.(type) {
	case *route.Inet4Addr:
		return netip.AddrFrom4(a.IP)
	case *route.Inet6Addr:
		return netip.AddrFrom16(a.IP)
	}
	return netip.Addr{}
}
