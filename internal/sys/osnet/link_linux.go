package osnet

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/base/logx"
)

// routeProtocol marks our routes in the kernel's table, so that "ip route" shows where they come from. It is in the range that
// is free for daemons.
const routeProtocol = 157

// identify finds the TUN device of that name.
func identify(iface string) (identity, error) {
	l, err := find(iface)
	if err != nil {
		return identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return identity{}, err
	}
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return identity{}, err
	}
	return identity{strings.TrimSpace(string(boot)), ns, l.Attrs().Index}, nil
}

func find(iface string) (netlink.Link, error) {
	l, err := netlink.LinkByName(iface)
	var none netlink.LinkNotFoundError
	switch {
	case errors.As(err, &none):
		return nil, fmt.Errorf("there is none: %w", fs.ErrNotExist)
	case err != nil:
		return nil, rights(err)
	case l.Type() != "tuntap":
		return nil, fmt.Errorf("%w but a %s", errNotTUN, l.Type())
	}
	return l, nil
}

// rights turns the kernel's refusal into words.
func rights(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; run as root or with the capability CAP_NET_ADMIN", fs.ErrPermission)
	}
	return err
}

// configure brings an interface from one state to another and raises it.
func configure(old, next entry, mtu int, log *slog.Logger) error {
	l, err := find(next.Interface)
	if err != nil {
		return err
	}
	if l.Attrs().MTU != mtu {
		if err := netlink.LinkSetMTU(l, mtu); err != nil {
			return fmt.Errorf("set the MTU to %d: %w", mtu, rights(err))
		}
	}
	if err := withdraw(l, without(old.Addresses, next.Addresses), without(old.Routes, next.Routes)); err != nil {
		return err
	}
	six := !sixDisabled(next.Interface)
	if six {
		// A link-local address would only make the kernel send solicitations into the tunnel.
		if err := netlink.LinkSetIP6AddrGenMode(l, nl6AddrGenNone); err != nil {
			log.Debug("cannot keep link-local addresses off the interface", logx.Interface, next.Interface, logx.Err, err)
		}
	} else {
		log.Warn("IPv6 is switched off on this host; the interface gets IPv4 only", logx.Interface, next.Interface,
			logx.Hint, "sysctl net.ipv6.conf.default.disable_ipv6=0, then restart")
	}
	for _, a := range next.Addresses {
		if a.Addr().Is4() || six {
			if err := addAddress(l, a); err != nil {
				return err
			}
		}
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("raise it: %w", rights(err))
	}
	for _, r := range next.Routes {
		if r.Addr().Is4() || six {
			if err := addRoute(l, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// nl6AddrGenNone is IN6_ADDR_GEN_MODE_NONE of linux/if_link.h.
const nl6AddrGenNone = 1

// sixDisabled reports whether the kernel refuses IPv6 addresses on an interface.
func sixDisabled(iface string) bool {
	b, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + iface + "/disable_ipv6")
	return errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(b)) != "0"
}

// addAddress adds an address; the kernel adds the route to its range, and takes that away with it, so that there is no moment at
// which one is there without the other. Duplicate address detection makes no sense in a tunnel and would delay the first packet.
func addAddress(l netlink.Link, a netip.Prefix) error {
	addr := &netlink.Addr{IPNet: ipNet(a), Flags: unix.IFA_F_NODAD}
	if a.Addr().Is4() {
		addr.Flags = 0
	}
	if err := netlink.AddrAdd(l, addr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add the address %v: %w", a, rights(err))
	}
	return nil
}

// addRoute never takes the place of somebody else's route.
func addRoute(l netlink.Link, r netip.Prefix) error {
	err := netlink.RouteAdd(route(l, r))
	if errors.Is(err, unix.EEXIST) {
		if ours, e := hasRoute(l, r); e != nil || ours {
			return e
		}
		return fmt.Errorf("add the route to %v: the host has one already; see: ip route show %v", r, r)
	}
	if err != nil {
		return fmt.Errorf("add the route to %v: %w", r, rights(err))
	}
	return nil
}

func route(l netlink.Link, r netip.Prefix) *netlink.Route {
	return &netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(r), Protocol: routeProtocol, Scope: netlink.SCOPE_LINK}
}

func hasRoute(l netlink.Link, r netip.Prefix) (bool, error) {
	all, err := netlink.RouteListFiltered(family(r), &netlink.Route{LinkIndex: l.Attrs().Index}, netlink.RT_FILTER_OIF)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, err
	}
	for _, have := range all {
		if p, ok := prefix(have.Dst); ok && p == r {
			return true, nil
		}
	}
	return false, nil
}

// deconfigure removes what an entry says from its interface and lowers it.
func deconfigure(e entry) error {
	l, err := find(e.Interface)
	if err != nil {
		return err
	}
	if err := withdraw(l, e.Addresses, e.Routes); err != nil {
		return err
	}
	return rights(netlink.LinkSetDown(l))
}

// withdraw removes addresses and routes; those that are gone already are no error.
func withdraw(l netlink.Link, addresses, routes []netip.Prefix) error {
	var faults []error
	for _, r := range routes {
		if err := netlink.RouteDel(route(l, r)); err != nil && !gone(err) {
			faults = append(faults, fmt.Errorf("remove the route to %v: %w", r, rights(err)))
		}
	}
	for _, a := range addresses {
		if err := netlink.AddrDel(l, &netlink.Addr{IPNet: ipNet(a)}); err != nil && !gone(err) {
			faults = append(faults, fmt.Errorf("remove the address %v: %w", a, rights(err)))
		}
	}
	return errors.Join(faults...)
}

func gone(err error) bool {
	return errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT)
}

// destroy removes an interface, and with it everything that hangs on it.
func destroy(e entry) error {
	l, err := find(e.Interface)
	if err != nil {
		return err
	}
	return rights(netlink.LinkDel(l))
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// prefix is the way back; nil and what is no prefix are not ok.
func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}, false
	}
	if bits == 32 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, ones), true
}

func family(p netip.Prefix) int {
	if p.Addr().Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}
