package osnet

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Forwards reports whether this system can pass packets on for others.
const Forwards = true

// here says which boot and which network namespace this is.
func here() (w identity, err error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return w, err
	}
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	return identity{Boot: strings.TrimSpace(string(boot)), Namespace: ns}, err
}

func readKnob(path string) (string, error) {
	b, err := os.ReadFile("/proc/sys/" + path)
	return strings.TrimSpace(string(b)), err
}

func writeKnob(path, value string) error {
	return rights(os.WriteFile("/proc/sys/"+path, []byte(value), 0))
}

// knobs are the switches that have the kernel pass packets on between an interface and networks, in the order in which they are turned.
//
// IPv4 is forwarded by the interface that a packet comes in by, so two switches are enough: ours, and that of the interface behind which the network is. The
// machine does not begin to pass on packets between any others that did not before. IPv6 has one switch for all, and with it the kernel stops
// listening to router advertisements, by which a host may have its own default route: so the interfaces that listen are told first to go on (accept_ra 2).
func knobs(iface string, to []netip.Prefix) (all []knob, err error) {
	four, six := false, false
	for _, p := range to {
		if p.Addr().Is6() {
			six = true
			continue
		}
		if !four {
			four = true
			all = append(all, knob{Path: forward4(iface), On: "1"})
		}
		if out := behind(p); out != "" && out != iface {
			all = append(all, knob{Path: forward4(out), On: "1", Mute: "net/ipv4/ip_forward"})
		}
	}
	if !six {
		return all, nil
	}
	const forward6 = "net/ipv6/conf/all/forwarding"
	if _, err := readKnob(forward6); errors.Is(err, fs.ErrNotExist) {
		return all, nil // this kernel has no IPv6
	}
	listens, err := listeners()
	if err != nil {
		return nil, err
	}
	for _, l := range listens {
		all = append(all, knob{Path: "net/ipv6/conf/" + l + "/accept_ra", Was: "1", On: "2"})
	}
	return append(all, knob{Path: forward6, On: "1"}), nil
}

func forward4(iface string) string { return "net/ipv4/conf/" + iface + "/forwarding" }

// behind is the interface that leads to a network; "": none, for now.
func behind(p netip.Prefix) string {
	a := p.Addr()
	if p.Bits() == 0 {
		a = netip.AddrFrom4([4]byte{192, 88, 99, 1}) // one that only a default route leads to
	}
	for range 4 { // the first of a network is its name, and some are this machine's own
		routes, err := netlink.RouteGet(a.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_UNICAST {
			if l, err := netlink.LinkByIndex(routes[0].LinkIndex); err == nil {
				return l.Attrs().Name
			}
		}
		if a = a.Next(); !p.Contains(a) {
			return ""
		}
	}
	return ""
}

// listeners are the interfaces that listen to router advertisements as long as the machine forwards nothing; those that were told to go on belong to
// them.
func listeners() (all []string, err error) {
	links, err := list(netlink.LinkList)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		name := l.Attrs().Name
		if is, err := readKnob("net/ipv6/conf/" + name + "/accept_ra"); err == nil && (is == "1" || is == "2") && l.Type() != "tuntap" && name != "lo" {
			all = append(all, name)
		}
	}
	return all, nil
}

// tableOf is the name of the nftables table of an interface; nobody else writes there.
func tableOf(iface string) string { return "cvlan-" + iface }

// masquerade makes an interface's table what it is to be, in one transaction; nil: there is none.
func masquerade(iface string, s *serving) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", rights(err))
	}
	t := &nftables.Table{Family: nftables.TableFamilyINet, Name: tableOf(iface)}
	if s == nil || !s.Masquerade {
		c.DelTable(t)
		if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("remove the nftables table %s: %w", t.Name, rights(err))
		}
		return nil
	}
	c.AddTable(t) // so that there is one to be removed
	c.DelTable(t)
	c.AddTable(t)
	post := c.AddChain(&nftables.Chain{Name: "postrouting", Table: t, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource})
	for _, p := range s.To {
		c.AddRule(&nftables.Rule{Table: t, Chain: post, Exprs: append(comesFrom(iface, p), &expr.Counter{}, &expr.Masq{})})
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("make the nftables table %s: %w; load the kernel's modules nf_tables and nft_masq, or let networks behind this machine route back to it: sudo cvlan set snat off", t.Name, rights(err))
	}
	return nil
}

// comesFrom matches what has come in by an interface (in postrouting, since Linux 5.7) and goes to a network.
func comesFrom(iface string, to netip.Prefix) []expr.Any {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, iface)
	family, offset := byte(unix.NFPROTO_IPV4), uint32(16)
	if to.Addr().Is6() {
		family, offset = unix.NFPROTO_IPV6, 24
	}
	all := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: name},
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
	}
	if to.Bits() == 0 {
		return all
	}
	size := to.Addr().BitLen() / 8
	return append(all,
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(size)},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(size), Mask: ipNet(to).Mask, Xor: make([]byte, size)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: to.Masked().Addr().AsSlice()})
}
