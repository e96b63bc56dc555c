package portmap

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
)

// defaultGateway finds the gateway of the default route with the lowest metric.
func defaultGateway() (gateway netip.Addr, index int, err error) {
	var table *windows.MibIpForwardTable2
	if err := windows.GetIpForwardTable2(windows.AF_INET, &table); err != nil {
		return netip.Addr{}, 0, err
	}
	defer windows.FreeMibTable(unsafe.Pointer(table))
	best := ^uint32(0)
	for _, r := range table.Rows() {
		hop := (*windows.RawSockaddrInet4)(unsafe.Pointer(&r.NextHop))
		a := netip.AddrFrom4(hop.Addr)
		if r.DestinationPrefix.PrefixLength == 0 && !a.IsUnspecified() && r.Metric < best {
			gateway, index, best = a, int(r.InterfaceIndex), r.Metric
		}
	}
	if !gateway.IsValid() {
		return netip.Addr{}, 0, ErrNoGateway
	}
	return gateway, index, nil
}
