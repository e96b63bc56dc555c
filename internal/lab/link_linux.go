package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// prepareNetwork sets up a new network namespace. It runs on the host's own thread.
func (h *Host) prepareNetwork(forwards bool) error {
	forward := "0"
	if forwards {
		forward = "1"
	}
	err := setAll([][2]string{
		{"net/ipv4/ip_forward", forward},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		{"net/ipv4/conf/all/send_redirects", "0"},
		{"net/ipv4/conf/default/send_redirects", "0"},
		{"net/ipv4/icmp_ratelimit", "0"},
		{"net/ipv6/conf/all/forwarding", forward},
		{"net/ipv6/conf/all/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_ra", "0"},
	})
	if err != nil {
		return err
	}
	// Where a module filters bridges it would run LAN traffic through the router's rules.
	for _, f := range []string{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"} {
		if err := set(f, "0"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return h.linkUp("lo")
}

func setAll(values [][2]string) error {
	for _, v := range values {
		if err := set(v[0], v[1]); err != nil {
			return err
		}
	}
	return nil
}

// set writes a kernel setting of the calling thread's network namespace.
func set(name, value string) error {
	if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0o644); err != nil {
		return fmt.Errorf("set %s to %s: %w", name, value, err)
	}
	return nil
}

// wire joins two hosts by a pair of links and brings both up.
func wire(a *Host, aLink string, b *Host, bLink string) error {
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: aLink, TxQLen: 1000}, PeerName: bLink,
		PeerNamespace: netlink.NsFd(int(b.spaces[0].file.Fd())),
	}
	if err := a.nl.LinkAdd(pair); err != nil {
		return fmt.Errorf("join %s and %s: %w", a.name, b.name, err)
	}
	if err := a.linkUp(aLink); err != nil {
		return err
	}
	return b.linkUp(bLink)
}

func (h *Host) linkUp(name string) error   { return h.setLink(name, h.nl.LinkSetUp) }
func (h *Host) linkDown(name string) error { return h.setLink(name, h.nl.LinkSetDown) }

func (h *Host) setLink(name string, f func(netlink.Link) error) error {
	link, err := h.nl.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s of %s: %w", name, h.name, err)
	}
	if err := f(link); err != nil {
		return fmt.Errorf("set link %s of %s: %w", name, h.name, err)
	}
	return nil
}

func (h *Host) setMTU(name string, mtu int) error {
	return h.setLink(name, func(l netlink.Link) error { return h.nl.LinkSetMTU(l, mtu) })
}

// addAddr gives a link an address that is usable at once, without duplicate detection.
func (h *Host) addAddr(link string, p netip.Prefix) error {
	return h.setLink(link, func(l netlink.Link) error {
		a := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := h.nl.AddrReplace(l, a); err != nil {
			return fmt.Errorf("add %s: %w", p, err)
		}
		return nil
	})
}

// path is a route to be added. The zero To means everywhere.
type path struct {
	to      netip.Prefix
	via     netip.Addr
	src     netip.Addr
	link    string
	onlink  bool
	table   int
	anyIPv6 bool // says which family a route to everywhere without a gateway is of
}

func (h *Host) addRoute(p path) error {
	return h.setLink(p.link, func(l netlink.Link) error {
		r := &netlink.Route{LinkIndex: l.Attrs().Index, Table: p.table, Family: unix.AF_INET}
		if p.to.Addr().Is6() || p.via.Is6() || p.anyIPv6 {
			r.Family = unix.AF_INET6
		}
		switch {
		case p.to.IsValid():
			r.Dst = ipNet(p.to)
		case r.Family == unix.AF_INET6:
			r.Dst = ipNet(netip.PrefixFrom(netip.IPv6Unspecified(), 0))
		default:
			r.Dst = ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0))
		}
		if p.via.IsValid() {
			r.Gw = p.via.AsSlice()
		} else {
			r.Scope = netlink.SCOPE_LINK
		}
		if p.src.IsValid() {
			r.Src = p.src.AsSlice()
		}
		if p.onlink {
			r.SetFlag(netlink.FLAG_ONLINK)
		}
		if err := h.nl.RouteReplace(r); err != nil {
			return fmt.Errorf("route %s via %s: %w", p.to, p.via, err)
		}
		return nil
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func host32(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
