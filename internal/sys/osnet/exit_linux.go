package osnet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// Exits reports whether this system can send its traffic through an exit.
const Exits = true

// Where the routes of an exit stand, and when the kernel looks there: before the main table, for every packet without the daemon's mark.
const (
	exitTable = 15700
	exitRule  = 5157
)

// Metrics of the default routes in that table.
const (
	exitMetric   = 10
	refuseMetric = 20 // when the interface is gone, with the process say, nothing leaves instead
)

// openExit makes the kernel's table and rules what an exit wants, or, without an interface, what a hold does. The routes come first: from the moment of the rule
// on everything goes by them.
func openExit(iface string, x exiting) error {
	to := sink
	if iface != "" {
		l, err := find(iface)
		if err != nil {
			return err
		}
		to = l.Attrs().Index
	}
	wanted := exitRoutes(to, x)
	for _, r := range wanted {
		if err := netlink.RouteReplace(&r); err != nil && !(r.Family == netlink.FAMILY_V6 && noFamily(err)) {
			return fmt.Errorf("add the route to %v for the exit: %w", r.Dst, rights(err))
		}
	}
	if err := clearExit(func(r netlink.Route) bool { return !listed(wanted, r) }); err != nil {
		return err
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		err := netlink.RuleAdd(rule(family))
		if err != nil && !errors.Is(err, unix.EEXIST) && !(family == netlink.FAMILY_V6 && noFamily(err)) {
			return fmt.Errorf("add the routing rule for the exit: %w", rights(err))
		}
	}
	return nil
}

// noFamily reports whether the kernel has no such family of addresses.
func noFamily(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENODEV)
}

// rule sends what has no mark of ours to the exit's table.
func rule(family int) *netlink.Rule {
	r, mask := netlink.NewRule(), uint32(mark.Mask)
	r.Family, r.Priority, r.Table, r.Mark, r.Mask, r.Invert, r.Protocol = family, exitRule, exitTable, mark.Value, &mask, true, routeProtocol
	return r
}

// sink is the index of the loopback interface, the same in every namespace. Packets for elsewhere that it gets from this machine come back as what they are,
// and are dropped.
const sink = 1

// exitRoutes are all routes of the table, the default ones by an interface.
func exitRoutes(to int, x exiting) (all []netlink.Route) {
	add := func(p netip.Prefix, r netlink.Route) {
		r.Dst, r.Family, r.Table, r.Protocol = ipNet(p), family(p), exitTable, routeProtocol
		all = append(all, r)
	}
	for _, p := range x.Pass {
		add(p, netlink.Route{Type: unix.RTN_THROW})
	}
	for _, everything := range []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)} {
		// IPv4 takes a way even where there is none: what comes from an unreachable source, to the daemon as well, filters of reverse paths drop.
		if everything.Addr().Is4() || x.IPv6 {
			add(everything, netlink.Route{LinkIndex: to, Scope: netlink.SCOPE_LINK, Priority: exitMetric})
		}
		add(everything, netlink.Route{Type: unix.RTN_UNREACHABLE, Priority: refuseMetric})
	}
	return all
}

// listed reports whether the kernel's route is one of those wanted.
func listed(wanted []netlink.Route, have netlink.Route) bool {
	for _, w := range wanted {
		p, _ := prefix(w.Dst)
		q, ok := prefix(have.Dst)
		if !ok { // the kernel tells a default route by saying nothing
			q = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
			if have.Family == netlink.FAMILY_V6 {
				q = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
			}
		}
		kind := w.Type
		if kind == 0 {
			kind = unix.RTN_UNICAST
		}
		if p == q && kind == have.Type && (p.Bits() > 0 || w.Priority == have.Priority) && (w.LinkIndex == 0 || w.LinkIndex == have.LinkIndex) {
			return true
		}
	}
	return false
}

// clearExit removes routes of ours from the exit's table.
func clearExit(which func(netlink.Route) bool) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := list(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: exitTable}, netlink.RT_FILTER_TABLE)
		})
		if err != nil && !noFamily(err) {
			return fmt.Errorf("list the routes of the exit: %w", err)
		}
		for _, r := range all {
			if r.Family = family; r.Protocol != routeProtocol || !which(r) {
				continue
			}
			if err := netlink.RouteDel(&r); err != nil && !gone(err) {
				return fmt.Errorf("remove the route to %v of the exit: %w", r.Dst, rights(err))
			}
		}
	}
	return nil
}

// closeExit removes the rules, and then the routes.
func closeExit() error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		for range 8 { // there is one, unless somebody has added another
			err := netlink.RuleDel(rule(family))
			if gone(err) || noFamily(err) {
				break
			}
			if err != nil {
				return fmt.Errorf("remove the routing rule of the exit: %w", rights(err))
			}
		}
	}
	return clearExit(func(netlink.Route) bool { return true })
}

// exitKnobs are the switches without which the kernel would drop what comes to the daemon's marked sockets: a filter of reverse paths that is strict looks for the
// way back without the mark, and finds the exit. The greater of a switch and its interface's counts.
func exitKnobs() (all []knob) {
	const every = "net/ipv4/conf/all/rp_filter"
	names, _ := filepath.Glob("/proc/sys/net/ipv4/conf/*/rp_filter")
	for _, name := range names {
		if is, err := readKnob(strings.TrimPrefix(name, "/proc/sys/")); err == nil && (is == "1" || strings.HasPrefix(strings.TrimPrefix(name, "/proc/sys/"), every) && is == "2") {
			return []knob{{Path: every, On: "2"}}
		}
	}
	return nil
}

// resolvers are those that the host asks for names: in a local network they stay in reach, because nothing else does without them.
func resolvers() (all []netip.Addr) {
	for _, file := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "nameserver" {
				continue
			}
			if a, err := netip.ParseAddr(words[1]); err == nil {
				all = append(all, a.Unmap().WithZone(""))
			}
		}
	}
	return all
}

// Uplinks implements Host.
func (s *System) Uplinks() (four, six bool, err error) {
	err = netlink.RouteListFilteredIter(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		p, ok := prefix(r.Dst)
		if (!ok || p.Bits() == 0) && r.Type == unix.RTN_UNICAST {
			four, six = four || r.Family == netlink.FAMILY_V4, six || r.Family == netlink.FAMILY_V6
		}
		return true
	})
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		err = nil
	}
	return four, six, err
}
