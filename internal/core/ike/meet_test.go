package ike

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func TestAnIKESAWithoutChildSAs(t *testing.T) {
	w := newWorld(t, 1, func(_ int, _ *Config, p *Peer) { p.Child = nil })
	w.side[0].initiate()
	w.run(time.Second)
	w.agree(0)
	w.side[0].rekey()
	w.settled()
	w.agree(0)
}

func TestNATsAreNoticed(t *testing.T) {
	w := newWorld(t, 1, nil)
	a, b := w.side[0], w.side[1]
	outside := netip.MustParseAddrPort("198.51.100.7:31000")
	w.watch = func(from int, data []byte) bool { return true }
	translate := func() {
		for i := range w.flight {
			f := &w.flight[i]
			if f.to == 1 {
				f.path.Remote = outside
			} else {
				f.path.Local = a.addr
			}
		}
	}
	a.initiate()
	for translate(); w.step(w.now.Add(time.Second)); translate() {
	}
	w.agree(1)
	if e := a.last(EventUp); e.NAT != (NAT{Local: true}) {
		t.Errorf("a sees %+v", e.NAT)
	}
	if e := b.last(EventUp); e.NAT != (NAT{Remote: true}) || e.Path.Remote != outside {
		t.Errorf("b sees %+v by %v", e.NAT, e.Path)
	}
}

func TestTrafficIsNarrowedByBothSides(t *testing.T) {
	prefix := func(s ...string) (out []msg.Selector) {
		for _, p := range s {
			out = append(out, msg.PrefixSelector(netip.MustParsePrefix(p)))
		}
		return out
	}
	w := newWorld(t, 1, func(n int, _ *Config, p *Peer) {
		if n == 0 {
			p.Child = &Child{Ours: prefix("10.0.0.0/8"), Theirs: prefix("0.0.0.0/0", "::/0")}
		} else {
			p.Child = &Child{Ours: prefix("10.9.0.0/16", "fd00::/8"), Theirs: prefix("10.1.0.0/16", "10.2.0.0/16", "192.168.0.0/16")}
		}
	})
	w.side[0].initiate()
	w.run(time.Second)
	w.agree(1)
	c := w.side[0].last(EventChildUp).Child
	for i, want := range [][]msg.Selector{prefix("10.1.0.0/16", "10.2.0.0/16"), prefix("10.9.0.0/16", "fd00::/8")} {
		got := [][]msg.Selector{c.Ours, c.Theirs}[i]
		if !allWithin(got, want) || !allWithin(want, got) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestTrafficWithNothingInCommon(t *testing.T) {
	w := newWorld(t, 1, func(n int, _ *Config, p *Peer) {
		p.Child.Ours = []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix([]string{"10.0.0.0/8", "172.16.0.0/12"}[n]))}
		if n == 1 {
			p.Child.Theirs = []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("192.168.0.0/16"))}
		}
	})
	w.side[0].initiate()
	w.run(time.Second)
	w.agree(0)
	if e := w.side[0].last(EventChildFailed); e.Notify != msg.TSUnacceptable {
		t.Errorf("%+v", e)
	}
}

func TestIntersections(t *testing.T) {
	sel := func(proto uint8, from, to uint16, first, last string) msg.Selector {
		return msg.Selector{Kind: msg.SelectIPv4, Protocol: proto, FromPort: from, ToPort: to, From: netip.MustParseAddr(first), To: netip.MustParseAddr(last)}
	}
	for name, c := range map[string]struct {
		a, b, want msg.Selector
		ok         bool
	}{
		"addresses":       {sel(0, 0, 65535, "10.0.0.0", "10.0.0.9"), sel(0, 0, 65535, "10.0.0.5", "10.0.0.20"), sel(0, 0, 65535, "10.0.0.5", "10.0.0.9"), true},
		"none":            {sel(0, 0, 65535, "10.0.0.0", "10.0.0.4"), sel(0, 0, 65535, "10.0.0.5", "10.0.0.20"), msg.Selector{}, false},
		"protocol":        {sel(0, 0, 65535, "10.0.0.0", "10.0.0.9"), sel(6, 80, 80, "10.0.0.0", "10.0.0.9"), sel(6, 80, 80, "10.0.0.0", "10.0.0.9"), true},
		"other protocols": {sel(17, 0, 65535, "10.0.0.0", "10.0.0.9"), sel(6, 80, 80, "10.0.0.0", "10.0.0.9"), msg.Selector{}, false},
		"ports":           {sel(6, 80, 90, "10.0.0.0", "10.0.0.9"), sel(6, 85, 100, "10.0.0.0", "10.0.0.9"), sel(6, 85, 90, "10.0.0.0", "10.0.0.9"), true},
		"other ports":     {sel(6, 80, 81, "10.0.0.0", "10.0.0.9"), sel(6, 85, 100, "10.0.0.0", "10.0.0.9"), msg.Selector{}, false},
		"opaque":          {sel(6, 65535, 0, "10.0.0.0", "10.0.0.9"), sel(6, 0, 65535, "10.0.0.0", "10.0.0.9"), sel(6, 65535, 0, "10.0.0.0", "10.0.0.9"), true},
		"opaque, ports":   {sel(6, 65535, 0, "10.0.0.0", "10.0.0.9"), sel(6, 0, 100, "10.0.0.0", "10.0.0.9"), msg.Selector{}, false},
	} {
		for range 2 {
			if got, ok := intersect(c.a, c.b); ok != c.ok || ok && !same(got, c.want) {
				t.Errorf("%s: %+v, %v", name, got, ok)
			}
			c.a, c.b = c.b, c.a
		}
	}
}

// A new session is made before the old one goes, with everything proved anew (make before break).
func TestReauthentication(t *testing.T) {
	w := met(t, 1, func(_ int, _ *Config, p *Peer) { p.Unique = true })
	for n := range 2 { // also by the one who did not begin the first
		old := w.side[0].id()
		w.side[n].initiate()
		w.run(time.Second)
		w.settled()
		w.agree(1)
		if n == 0 && w.side[0].id() == old {
			t.Error("it is the old session")
		}
	}
	ups, down := 0, false
	for _, e := range w.side[0].events {
		switch e.Kind {
		case EventChildUp:
			ups++
		case EventDown:
			down = true
		}
		if down && ups == 0 {
			t.Error("the old one goes before the new one is there")
		}
	}
}

func TestAPeerMayBeHeldToLess(t *testing.T) {
	cnsa, _ := crypt.NewProfile(crypt.CNSA1)
	strict := func(only int) *world {
		return newWorld(t, 1, func(n int, _ *Config, p *Peer) {
			if n == only {
				p.Profile = &cnsa
			}
		})
	}
	w := strict(0) // an initiator offers less
	w.byKeys()
	w.side[0].initiate()
	w.run(time.Second)
	w.side[1].rekey()
	w.run(time.Second)
	w.side[1].rekeyChild()
	w.settled()
	w.agree(1)
	if c := w.side[0].last(EventUp).Cipher; c != "AES_GCM_16-256/PRF_HMAC_SHA2_512/ECP_384" {
		t.Error(c)
	}
	w = strict(1) // a responder finds out who the peer is, and what it may not use
	w.side[0].initiate()
	w.run(time.Second)
	if e := w.side[1].last(EventRefused); e.Detail != errWeak.Error() || len(w.side[0].up) != 0 {
		t.Errorf("%+v", e)
	}
}

func TestPacketsAreSignsOfLife(t *testing.T) {
	w := met(t, 1, func(_ int, c *Config, _ *Peer) { c.Liveness = 10 * time.Second })
	before := w.sent
	for range 20 {
		w.run(5 * time.Second)
		for _, s := range w.side {
			s.m.Heard(w.now, s.id())
		}
	}
	if w.sent != before {
		t.Errorf("%d messages for nothing", w.sent-before)
	}
}

func TestWhatCanBeToldOfSessions(t *testing.T) {
	w := met(t, 1, nil)
	w.side[0].createChild()
	w.run(time.Second)
	a, b := w.side[0].m.Sessions(), w.side[1].m.Sessions()
	if len(a) != 1 || len(b) != 1 || len(a[0].Children) != 2 || a[0].SPIi != b[0].SPIi || a[0].SPIr != b[0].SPIr || a[0].Cipher != b[0].Cipher {
		t.Fatalf("%+v and %+v", a, b)
	}
	if s := a[0]; !s.Began || b[0].Began || s.Peer != "b" || s.Method != msg.AuthSharedKey || !s.MOBIKE || s.Children[0].Encryption.String() != "AES_GCM_16-256" ||
		s.Children[0].KeyIn != nil || s.Rekey < s.Up || s.Heard < s.Up {
		t.Errorf("%+v", s)
	}
}
