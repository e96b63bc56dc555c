package wg_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/node/tunnel"
)

func ranges(all ...string) func(*tunnel.PeerConfig) {
	return func(c *tunnel.PeerConfig) {
		c.Allowed = nil
		for _, r := range all {
			c.Allowed = append(c.Allowed, netip.MustParsePrefix(r))
		}
	}
}

func TestKeyMovesToAnotherRange(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		old := b.addr
		b.addr = netip.MustParseAddr("10.88.3.4")
		a.knows(b, ranges("10.88.0.0/16"))
		w.talk(a, b, rtt)
		if !a.of(b).LastHandshake.Before(time.Now().Add(-rtt)) {
			w.Error("another handshake was made")
		}
		a.twin.Send(packet(a.addr, old, "nobody is there"))
		b.twin.Send(packet(old, a.addr, "nor here"))
		w.Pass(time.Second)
		if all := append(a.heard(), b.heard()...); len(all) != 0 {
			w.Errorf("%q have arrived", all)
		}
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.NoRoute: 1, tunnel.Spoofed: 1})
	})
}

func TestRangeGoesToThePeerThatIsGivenItLast(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, c := w.end(1), w.end(2), w.end(3)
		for _, e := range []*end{b, c} {
			e.knows(a)
			a.knows(e)
		}
		w.talk(a, b, time.Second)
		w.talk(a, c, time.Second)
		shared := netip.MustParseAddr("172.16.5.6")
		for i, turn := range []struct{ has, not *end }{{b, c}, {c, b}, {b, c}} {
			a.knows(turn.has, func(p *tunnel.PeerConfig) { p.Allowed = append(p.Allowed, netip.MustParsePrefix("172.16.0.0/16")) })
			a.twin.Send(packet(a.addr, shared, "to the owner"))
			turn.not.twin.Send(packet(shared, a.addr, "from another"))
			turn.has.twin.Send(packet(shared, a.addr, "from the owner"))
			w.Pass(time.Second)
			if has, not, mine := turn.has.heard(), turn.not.heard(), a.heard(); len(has) != 1 || len(not) != 0 || len(mine) != 1 || mine[0] != "from the owner" {
				w.Errorf("turn %d: the owner hears %q, the other %q, we %q", i, has, not, mine)
			}
			if n := a.of(turn.not).Drops[tunnel.Spoofed.String()]; n == 0 {
				w.Errorf("turn %d: not counted", i)
			}
		}
		if has, not := len(a.of(b).Allowed), len(a.of(c).Allowed); has != 2 || not != 1 {
			w.Errorf("b has %d ranges, c has %d", has, not)
		}
	})
}

func TestPeersThatCannotBeAreRefused(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		many := make([]netip.Prefix, tunnel.MaxAllowed+1)
		for want, c := range map[string]tunnel.PeerConfig{
			"has no key":                {},
			"its key is our own":        {Key: a.name},
			"is no address range":       {Key: b.name, Allowed: []netip.Prefix{{}}},
			"4097 ranges, at most 4096": {Key: b.name, Allowed: many},
			"use 0 (off) to 18h12m15s":  {Key: b.name, Keepalive: 100 * time.Hour},
			"keepalive of -1ns":         {Key: b.name, Keepalive: -1},
		} {
			wantError(w.T, a.SetPeer(c), want)
		}
		if n := len(a.Peers()); n != 0 {
			w.Errorf("%d peers", n)
		}
	})
}

func TestTwoRoutersOfOneNetwork(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b, c := w.end(1), w.end(2), w.end(3)
		lan, host := netip.MustParsePrefix("10.20.0.0/16"), netip.MustParseAddr("10.20.3.4")
		for _, router := range []*end{b, c} {
			router.knows(a)
			router.SetSources([]netip.Addr{router.addr}, lan)
		}
		a.SetSources([]netip.Addr{a.addr})
		uses := func(p *tunnel.PeerConfig) { p.Allowed = append(p.Allowed, lan) }
		stands := func(p *tunnel.PeerConfig) { p.Besides = []netip.Prefix{lan} }
		for i, turn := range []struct{ used, other *end }{{b, c}, {c, b}} {
			a.knows(turn.used, uses)
			a.knows(turn.other, stands)
			a.twin.Send(packet(a.addr, host, "to the LAN"))
			w.Pass(time.Second)
			if !turn.used.hears("to the LAN", time.Second) {
				w.Errorf("turn %d: the router in use hears nothing", i)
			}
			for _, router := range []*end{turn.used, turn.other} {
				router.twin.Send(packet(host, a.addr, "from the LAN"))
				if !a.hears("from the LAN", time.Second) {
					w.Errorf("turn %d: %d's LAN is not heard", i, router.n)
				}
			}
		}
		a.knows(b) // withdrawn
		a.knows(c)
		b.twin.Send(packet(host, a.addr, "from the LAN"))
		a.twin.Send(packet(a.addr, host, "to the LAN"))
		b.twin.Send(packet(netip.MustParseAddr("10.21.0.1"), a.addr, "from elsewhere"))
		w.Pass(time.Second)
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.Spoofed: 1, tunnel.NoRoute: 1})
		b.wantDrops(map[tunnel.Reason]uint64{tunnel.ForeignSource: 1})
	})
}
