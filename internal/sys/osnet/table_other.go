//go:build darwin || windows

package osnet

import (
	"net"
	"net/netip"
)

// offerInterfaces offers the ranges of the interfaces' addresses; it returns false if offer has enough.
func offerInterfaces(offer func(netip.Prefix, string) bool) (more bool, err error) {
	all, err := net.Interfaces()
	if err != nil {
		return false, err
	}
	for _, i := range all {
		for _, p := range addressesOf(i) {
			if !offer(p, i.Name) {
				return false, nil
			}
		}
	}
	return true, nil
}

// addressesOf lists an interface's addresses; one that vanishes meanwhile has none.
func addressesOf(i net.Interface) []netip.Prefix {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var all []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		bits, size := n.Mask.Size()
		if !ok || size == 0 {
			continue
		}
		if ip.Is4In6() && size == 128 {
			bits -= 96
		}
		all = append(all, netip.PrefixFrom(ip.Unmap(), bits))
	}
	return all
}

// interfaceCandidates lists the addresses of interfaces that are up and running.
func interfaceCandidates(outward map[int]bool) ([]candidate, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 {
			continue
		}
		for _, p := range addressesOf(i) {
			found = append(found, candidate{addr: p.Addr(), bits: p.Bits(), iface: i.Name, onDefault: outward[i.Index], virtual: i.Flags&net.FlagPointToPoint != 0})
		}
	}
	return found, nil
}

func namesByIndex() (map[int]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	names := make(map[int]string, len(all))
	for _, i := range all {
		names[i.Index] = i.Name
	}
	return names, nil
}
