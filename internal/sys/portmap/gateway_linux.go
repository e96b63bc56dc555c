package portmap

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// defaultGateway finds the gateway of the best default route of the main table: routes of tunnels, ours and others', stand in tables of
// their own or lead to no gateway.
func defaultGateway(six bool) (gateway netip.Addr, index int, err error) {
	family := netlink.FAMILY_V4
	if six {
		family = netlink.FAMILY_V6
	}
	filter := &netlink.Route{Table: unix.RT_TABLE_MAIN}
	best := -1
	err = netlink.RouteListFilteredIter(family, filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST, func(r netlink.Route) bool {
		gw, ok := netip.AddrFromSlice(r.Gw)
		if ok && r.Type == unix.RTN_UNICAST && (best < 0 || r.Priority < best) {
			gateway, index, best = gw.Unmap(), r.LinkIndex, r.Priority
		}
		return true
	})
	if best >= 0 { // what an interrupted listing left out is told by the next change of the network
		return gateway, index, nil
	}
	if err == nil {
		err = ErrNoGateway
	}
	return netip.Addr{}, 0, err
}
