package osnet

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/windows"
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
	return eachRoute(func(r *windows.MibIpForwardRow2) bool {
		p, ok := destination(r)
		return !ok || offer(p, names[int(r.InterfaceIndex)])
	})
}

// eachRoute visits the system's routes but those to itself.
func eachRoute(visit func(*windows.MibIpForwardRow2) bool) error {
	var table *windows.MibIpForwardTable2
	if err := windows.GetIpForwardTable2(windows.AF_UNSPEC, &table); err != nil {
		return err
	}
	defer windows.FreeMibTable(unsafe.Pointer(table))
	rows := table.Rows()
	for i := range rows {
		if rows[i].Loopback == 0 && !visit(&rows[i]) {
			return nil
		}
	}
	return nil
}

func destination(r *windows.MibIpForwardRow2) (netip.Prefix, bool) {
	raw := unsafe.Pointer(&r.DestinationPrefix.Prefix)
	bits := int(r.DestinationPrefix.PrefixLength)
	switch r.DestinationPrefix.Prefix.Family {
	case windows.AF_INET:
		return netip.PrefixFrom(netip.AddrFrom4((*windows.RawSockaddrInet4)(raw).Addr), bits), true
	case windows.AF_INET6:
		return netip.PrefixFrom(netip.AddrFrom16((*windows.RawSockaddrInet6)(raw).Addr), bits), true
	}
	return netip.Prefix{}, false
}

// localCandidates lists the addresses of interfaces that are up; one with a default route comes first.
func localCandidates() ([]candidate, error) {
	outward := map[int]bool{}
	if err := eachRoute(func(r *windows.MibIpForwardRow2) bool {
		if p, ok := destination(r); ok && p.Bits() == 0 {
			outward[int(r.InterfaceIndex)] = true
		}
		return true
	}); err != nil {
		return nil, err
	}
	return interfaceCandidates(outward)
}
