//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/lab"
)

// network writes down a host's links, addresses, routes of all tables and rules, one a line, as the kernel tells them.
func (w *world) network(h *lab.Host) string {
	w.t.Helper()
	var lines []string
	w.eventually(5*time.Second, "the addresses of "+h.Name()+" are settled", func() error {
		return h.Do(func() (err error) { lines, err = readNetwork(); return err })
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func readNetwork() (lines []string, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		a := l.Attrs()
		lines = append(lines, fmt.Sprintf("link %d %s %s mtu %d flags %v", a.Index, l.Type(), a.Name, a.MTU, a.Flags))
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		addrs, err := netlink.AddrList(nil, family)
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if a.Flags&unix.IFA_F_TENTATIVE != 0 {
				return nil, fmt.Errorf("%s is still tentative", a.IPNet)
			}
			lines = append(lines, fmt.Sprintf("addr %d %s scope %d flags %x", a.LinkIndex, a.IPNet, a.Scope, a.Flags))
		}
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			lines = append(lines, fmt.Sprintf("route %d %+v", family, r))
		}
		rules, err := netlink.RuleList(family)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			lines = append(lines, fmt.Sprintf("rule %d %+v", family, r))
		}
	}
	return lines, nil
}

// isAsBefore waits until a host's network is again what it was, byte for byte.
func (w *world) isAsBefore(h *lab.Host, before string) {
	w.t.Helper()
	_, err := w.within(5*time.Second, func() error {
		if now := w.network(h); now != before {
			return fmt.Errorf("before:\n%s\nnow:\n%s", before, now)
		}
		return nil
	})
	if err != nil {
		w.t.Errorf("the network of %s is not as before; %v", h.Name(), err)
	}
}

// index returns the kernel's number of a link, which no other gets in a boot; 0 if there is none.
func (w *world) index(h *lab.Host, link string) (n int) {
	w.t.Helper()
	w.must(h.Do(func() error {
		if l, err := netlink.LinkByName(link); err == nil {
			n = l.Attrs().Index
		}
		return nil
	}))
	return n
}

// addLink gives a host one more network, as another program or a second card would.
func (w *world) addLink(h *lab.Host, name, addr string) {
	w.t.Helper()
	w.must(h.Do(func() error {
		l := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}
		if err := netlink.LinkAdd(l); err != nil {
			return err
		}
		// Without IPv6 it is at once as it stays: duplicate detection would change its address's flags later.
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0o644); err != nil {
			return err
		}
		if addr != "" {
			a, err := netlink.ParseAddr(addr)
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(l, a); err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(l)
	}))
}

// dropLink takes it away again.
func (w *world) dropLink(h *lab.Host, name string) {
	w.t.Helper()
	w.must(h.Do(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	}))
}
