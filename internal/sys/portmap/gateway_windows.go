package portmap

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
)

// defaultGateway finds the gateway of the default route with the lowest metric.
func defaultGateway(six bool) (gateway netip.Addr, index int, err error) {
	var table *windows.MibIpForwardTable2
	family := uint16(windows.AF_INET)
	if six {
		family = windows.AF_INET6
	}
	if err := windows.GetIpForwardTable2(family, &table); err != nil {
		return netip.Addr{}, 0, err
	}
	defer windows.FreeMibTable(unsafe.Pointer(table))
	best := ^uint32(0)
	for _, r := range table.Rows() {
		a := netip.AddrFrom4((*windows.RawSockaddrInet4)(unsafe.Pointer(&r.NextHop)).Addr)
		if six {
			a = netip.AddrFrom16((*windows.RawSockaddrInet6)(unsafe.Pointer(&r.NextHop)).Addr)
		}
		if r.DestinationPrefix.PrefixLength == 0 && !a.IsUnspecified() && r.Metric < best {
			gateway, index, best = a, int(r.InterfaceIndex), r.Metric
		}
	}
	if !gateway.IsValid() {
		return netip.Addr{}, 0, ErrNoGateway
	}
	return gateway, index, nil
}
