package lab

import (
	"fmt"
	"sort"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// faults are the rules that spoil one router's traffic, by what they were asked for. The kernel's table is written anew
// from them at each change, in one transaction.
type faults map[string]fault

type fault struct {
	bridge bool // between two computers of one LAN
	rules  []words
}

// Lose drops a share of the packets from a to b, 0 to 100 percent, by chance; the way back is untouched. 0 heals.
func (l *Lab) Lose(a, b *Host, percent float64) {
	l.must(fmt.Sprintf("lose packets from %s to %s", a.name, b.name), l.lose(a, b, percent, nil))
}

// Cut drops everything between a and b, silently, both ways.
func (l *Lab) Cut(a, b *Host) { l.Lose(a, b, 100); l.Lose(b, a, 100) }

// CutUDP drops the UDP between a and b, silently, both ways, and lets the rest pass.
func (l *Lab) CutUDP(a, b *Host) {
	for _, way := range [][2]*Host{{a, b}, {b, a}} {
		l.must(fmt.Sprintf("cut UDP from %s to %s", way[0].name, way[1].name), l.lose(way[0], way[1], 100, udp()))
	}
}

// Heal ends Cut, CutUDP and Lose between a and b.
func (l *Lab) Heal(a, b *Host) { l.Lose(a, b, 0); l.Lose(b, a, 0) }

// BlockUDP drops the UDP that passes the site's router, or lets it pass again.
func (s *Site) BlockUDP(on bool) {
	var f fault
	if on {
		f.rules = []words{rule(udp(), drop())}
	}
	s.lab.must("block UDP at "+s.name, s.router.spoil("udp", f))
}

// MTU makes the site's uplink carry packets of up to n bytes; larger ones are answered as the standards say. 0 heals.
func (s *Site) MTU(n int) {
	if n == 0 {
		n = 1500
	}
	up := s.router.up
	s.lab.must("set the MTU of "+s.name, s.router.setMTU(up.link, n))
	s.lab.must("set the MTU of "+s.name, up.to.setMTU(up.far, n))
}

// BlackHole drops packets of more than n bytes at the site's router without a word. 0 heals.
func (s *Site) BlackHole(n int) {
	var f fault
	if n > 0 {
		f.rules = []words{rule(longer(n), drop())}
		s.lab.must("cut trains at "+s.name, s.cutTrains())
	}
	s.lab.must("make a black hole at "+s.name, s.router.spoil("mtu", f))
}

// cutTrains has everything come to the site's router packet by packet, as over a wire. Else a train of packets, which the kernel hands from
// host to host in one piece, would be taken for one long packet there.
func (s *Site) cutTrains() error {
	up := s.router.up
	if err := up.to.cutTrains(up.far); err != nil {
		return err
	}
	for _, h := range s.lab.Hosts() {
		if err := s.cutTrainsOf(h); err != nil {
			return err
		}
	}
	return nil
}

// cutTrainsIfHollow is the same for a site that was made with a black hole, whenever something is joined to it.
func (s *Site) cutTrainsIfHollow() error {
	if s.spec.BlackHole == 0 {
		return nil
	}
	return s.cutTrains()
}

// cutTrainsOf is the same for what one host sends to the router, if it stands below it.
func (s *Site) cutTrainsOf(h *Host) error {
	if h.up != nil && h.up.to == s.router {
		return h.cutTrains(h.up.link)
	}
	for _, l := range h.legs {
		if l.site != s {
			continue
		}
		if err := h.cutTrains(l.link); err != nil {
			return err
		}
	}
	return nil
}

func (h *Host) cutTrains(link string) error {
	return h.setLink(link, func(l netlink.Link) error { return h.nl.LinkSetGSOMaxSegs(l, 1) })
}

// Unplug takes the host's own link down: it notices. Plug brings it up again, with its addresses and routes.
func (h *Host) Unplug() { h.lab.must("unplug "+h.name, h.linkDown(h.link())) }

// Plug ends Unplug.
func (h *Host) Plug() { h.lab.must("plug in "+h.name, h.plug()) }

// link is the host's link towards the others.
func (h *Host) link() string {
	if h.up != nil {
		return h.up.link
	}
	return h.leg().link
}

// plug also restores what the kernel forgets when a link goes down: routes and IPv6 addresses, at both ends.
func (h *Host) plug() error {
	if err := h.linkUp(h.link()); err != nil {
		return err
	}
	if h.up == nil {
		return h.site.readdress(h)
	}
	if err := h.upstream4(); err != nil || !h.up.net6.IsValid() {
		return err
	}
	if err := h.upstream6(); err != nil || h.site != nil {
		return err
	}
	return h.addAddr(h.up.link, host32(h.v6))
}

// lose drops a share of the packets that match what, all if that is nil, in the place of what was lost before.
func (l *Lab) lose(a, b *Host, percent float64, what words) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("%v percent is not between 0 and 100", percent)
	}
	at, in, out, bridge, err := between(a, b)
	if err != nil {
		return err
	}
	key := "lose " + a.name + " " + b.name
	if percent == 0 {
		return at.spoil(key, fault{})
	}
	chance := words(nil)
	if percent < 100 {
		chance = outOf10000(uint32(percent * 100))
	}
	f := fault{bridge: bridge}
	// A delay line takes the packets of in through a device of its own.
	for _, entry := range []string{in, delayLink(in)} {
		f.rules = append(f.rules, rule(from(entry), to(out), what, chance, drop()))
	}
	return at.spoil(key, f)
}

// between finds the router where the ways from a and b meet, and its links towards them. It stops there for all hosts
// of the two sites below, not only for a and b; two computers of one LAN meet in its bridge.
func between(a, b *Host) (at *Host, in, out string, bridge bool, err error) {
	if a == b {
		return nil, "", "", false, fmt.Errorf("%s has no way to itself", a.name)
	}
	if a.up == nil && b.up == nil && a.site == b.site {
		return a.site.router, a.leg().port, b.leg().port, true, nil
	}
	for _, x := range ways(a) {
		for _, y := range ways(b) {
			if x.to == y.to && x != y {
				return x.to, x.far, y.far, false, nil
			}
		}
	}
	return nil, "", "", false, fmt.Errorf("the ways of %s and %s do not meet in a router", a.name, b.name)
}

// ways lists the uplinks that a host's packets take to the internet.
func ways(h *Host) []*uplink {
	var all []*uplink
	if h.up == nil {
		h = h.site.router
	}
	for h != nil && h.up != nil {
		all = append(all, h.up)
		h = h.up.to
	}
	return all
}

// spoil sets or, without rules, removes one fault of a router.
func (h *Host) spoil(key string, f fault) error {
	if h.faults == nil {
		h.faults = faults{}
	}
	if len(f.rules) == 0 {
		delete(h.faults, key)
	} else {
		h.faults[key] = f
	}
	conn, err := h.firewall()
	if err != nil {
		return err
	}
	h.faults.write(conn, false, nftables.TableFamilyINet)
	h.faults.write(conn, true, nftables.TableFamilyBridge)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("write the faults of %s: %w", h.name, err)
	}
	return nil
}

func (f faults) write(conn *nftables.Conn, bridge bool, family nftables.TableFamily) {
	name := nftables.Table{Family: family, Name: "faults"}
	conn.AddTable(&name)
	conn.DelTable(&name) // with its old rules
	table := conn.AddTable(&nftables.Table{Family: family, Name: "faults"})
	at := nftables.ChainPriority(10)
	chain := conn.AddChain(&nftables.Chain{Table: table, Name: "forward", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: &at})
	if bridge {
		for _, r := range neighbours() {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: r})
		}
	}
	keys := make([]string, 0, len(f))
	for k := range f {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		for _, r := range f[k].rules {
			if f[k].bridge == bridge {
				conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: r})
			}
		}
	}
}

// neighbours lets ARP and neighbour discovery pass a spoiled LAN. Without them a healed LAN would be dead for another
// second, until the kernel asks again.
func neighbours() []words {
	solicit, advert := byte(135), byte(136) // RFC 4861
	find := func(kind byte) words {
		return rule(protocol(unix.IPPROTO_ICMPV6), transportByte(reg0, 0), words{equal(reg0, kind)}, accept())
	}
	return []words{rule(etherType(unix.ETH_P_ARP), accept()), find(solicit), find(advert)}
}
