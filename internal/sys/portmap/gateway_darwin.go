package portmap

import (
	"net/netip"

	"golang.org/x/net/route"
	"golang.org/x/sys/unix"
)

// defaultGateway finds the gateway of the first default route.
func defaultGateway() (netip.Addr, int, error) {
	raw, err := route.FetchRIB(unix.AF_INET, route.RIBTypeRoute, 0)
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
		dst, ok := r.Addrs[unix.RTAX_DST].(*route.Inet4Addr)
		gw, ok2 := r.Addrs[unix.RTAX_GATEWAY].(*route.Inet4Addr)
		if ok && ok2 && dst.IP == [4]byte{} {
			return netip.AddrFrom4(gw.IP), r.Index, nil
		}
	}
	return netip.Addr{}, 0, ErrNoGateway
}
