package osnet

import (
	"errors"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hostRanges offers every range that the host has an address in or a route to, in any routing table, until offer returns false.
func hostRanges(offer func(netip.Prefix, string) bool) error {
	links, err := linksByIndex()
	if err != nil {
		return err
	}
	addrs, err := list(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if p, ok := prefix(a.IPNet); ok && !offer(p, nameOf(links, a.LinkIndex)) {
			return nil
		}
	}
	return eachRoute(func(r netlink.Route) bool {
		p, ok := prefix(r.Dst)
		return !ok || offer(p, on(links, r))
	})
}

// eachRoute visits the unicast routes of all tables without holding them in memory: a host with the internet's full table has a
// million.
func eachRoute(visit func(netlink.Route) bool) error {
	all := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
	err := netlink.RouteListFilteredIter(netlink.FAMILY_ALL, all, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if r.Table == unix.RT_TABLE_LOCAL || r.Type != unix.RTN_UNICAST {
			return true // a blackhole or unreachable route holds no machine that ours would hide
		}
		return visit(r)
	})
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil // what changed meanwhile is told by Changes
	}
	return err
}

// on names the interface that a route leaves by.
func on(links map[int]netlink.Link, r netlink.Route) string {
	index := r.LinkIndex
	if index == 0 && len(r.MultiPath) > 0 {
		index = r.MultiPath[0].LinkIndex
	}
	return nameOf(links, index)
}

func nameOf(links map[int]netlink.Link, index int) string {
	if l := links[index]; l != nil {
		return l.Attrs().Name
	}
	return "another interface"
}

func linksByIndex() (map[int]netlink.Link, error) {
	all, err := list(netlink.LinkList)
	if err != nil {
		return nil, err
	}
	byIndex := make(map[int]netlink.Link, len(all))
	for _, l := range all {
		byIndex[l.Attrs().Index] = l
	}
	return byIndex, nil
}

// list repeats a listing that the kernel could not give consistently because something changed meanwhile.
func list[T any](from func() ([]T, error)) (all []T, err error) {
	for range 3 {
		if all, err = from(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return all, nil
}

// localCandidates lists the usable addresses of links that are up and have a carrier.
func localCandidates() ([]candidate, error) {
	links, err := linksByIndex()
	if err != nil {
		return nil, err
	}
	outward, err := defaultLinks()
	if err != nil {
		return nil, err
	}
	addrs, err := list(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	const unusable = unix.IFA_F_TENTATIVE | unix.IFA_F_DEPRECATED | unix.IFA_F_DADFAILED
	var all []candidate
	for _, a := range addrs {
		l, p := links[a.LinkIndex], netip.Prefix{}
		if l == nil || !carries(l) || a.Flags&unusable != 0 {
			continue
		}
		if p, _ = prefix(a.IPNet); !p.IsValid() {
			continue
		}
		all = append(all, candidate{
			addr:      p.Addr(),
			bits:      p.Bits(),
			iface:     l.Attrs().Name,
			onDefault: outward[a.LinkIndex],
			virtual:   virtual(l),
			temporary: p.Addr().Is6() && a.Flags&unix.IFA_F_TEMPORARY != 0, // for IPv4 the bit means "secondary"
		})
	}
	return all, nil
}

// carries reports whether a link is up and plugged in.
func carries(l netlink.Link) bool {
	a := l.Attrs()
	return a.Flags&net.FlagUp != 0 && (a.RawFlags&unix.IFF_LOWER_UP != 0 || a.Flags&net.FlagLoopback != 0)
}

// virtual reports kinds of links behind which others can rarely reach us.
func virtual(l netlink.Link) bool {
	switch l.Type() {
	case "bridge", "veth", "tuntap", "wireguard", "dummy", "ipip", "sit", "gre", "vxlan":
		return true
	}
	return false
}

// defaultLinks are the links that have a default route.
func defaultLinks() (map[int]bool, error) {
	links := map[int]bool{}
	err := eachRoute(func(r netlink.Route) bool {
		p, ok := prefix(r.Dst)
		if ok && p.Bits() != 0 {
			return true
		}
		links[r.LinkIndex] = true
		for _, hop := range r.MultiPath {
			links[hop.LinkIndex] = true
		}
		return true
	})
	return links, err
}
