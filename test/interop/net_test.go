//go:build interop && linux

package interop

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// moves gives a side another outer IPv4 address of its LAN in the place of its own, as DHCP may.
func (w *world) moves(s *side, to netip.Addr) {
	w.t.Helper()
	gateway := netip.PrefixFrom(to, 24).Masked().Addr().Next()
	w.must(s.host.Do(func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := netlink.AddrDel(l, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(s.outer, 24))}); err != nil {
			return err
		}
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(to, 24))}); err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway.AsSlice()})
	}))
	s.outer = to
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
