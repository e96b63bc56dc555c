package ike

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// reachable has a side be reached at further addresses.
func (s *side) reachable(all ...string) {
	var addrs []netip.Addr
	for _, a := range all {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	s.m.Reachable(s.clock(), addrs, &s.out)
	s.flush()
}

// wantReach checks where else a side's peer may be reached.
func (s *side) wantReach(all ...string) {
	s.w.t.Helper()
	if got := s.m.Sessions()[0].Reach; fmt.Sprint(got) != fmt.Sprint(all) {
		s.w.t.Errorf("%s may reach its peer at %v, want %v\n%s", s.name, got, all, s.w.story())
	}
}

// Both say where else they are when they meet, and when that changes. The address in use is not named again.
func TestBothTellWhereElseTheyAre(t *testing.T) {
	w := newWorld(t, 1, nil)
	a, b := w.side[0], w.side[1]
	a.reachable("192.0.2.1", "203.0.113.1", "2001:db8::1")
	b.reachable("203.0.113.2", "192.0.2.2")
	a.initiate()
	w.run(time.Second)
	a.wantReach("203.0.113.2")
	b.wantReach("203.0.113.1", "2001:db8::1")
	a.reachable("192.0.2.1", "203.0.113.9")
	b.reachable("192.0.2.2")
	w.run(time.Second)
	a.wantReach()
	b.wantReach("203.0.113.9")
	sent := w.sent
	a.reachable("192.0.2.1", "203.0.113.9")
	if w.sent != sent {
		t.Error("what has not changed is told again")
	}
	a.moves("203.0.113.9:4500")
	w.run(time.Second)
	b.wantReach("192.0.2.1")
	w.agree(1)
}

// Who does not speak MOBIKE is told nothing, and believes nothing.
func TestWhoFollowsIsToldNoFurtherAddress(t *testing.T) {
	w := newWorld(t, 1, func(_ int, _ *Config, p *Peer) { p.Follows = true })
	a, b := w.side[0], w.side[1]
	b.reachable("203.0.113.2")
	a.initiate()
	w.run(time.Second)
	a.reachable("203.0.113.1")
	w.run(time.Second)
	a.wantReach()
	b.wantReach()
	w.ask(1, msg.Informational, msg.Notify{Kind: msg.AdditionalIP4Address, Data: []byte{203, 0, 113, 2}})
	a.wantReach()
}

// Where the responder was nobody hears anything any more. Who began finds it at one of its further addresses, and nothing ends. The responder does not
// look for whoever began: that one says where it is.
func TestAResponderThatIsSilentIsFoundElsewhere(t *testing.T) {
	for _, others := range [][]string{{"203.0.113.2"}, {"203.0.113.7", "203.0.113.8", "203.0.113.9", "2001:db8::7", "203.0.113.2"}} {
		w, found := newWorld(t, 1, nil), netip.MustParseAddrPort("203.0.113.2:4500")
		a, b := w.side[0], w.side[1]
		b.reachable(others...)
		a.initiate()
		w.run(time.Second)
		w.lost = func(p Path) bool { return p.Remote != found && p.Local != found }
		a.probe()
		w.run(20 * time.Second)
		x, y := a.m.sessions[a.id()], b.m.sessions[b.id()]
		if x.path.Remote != found || y.path.Local != x.path.Remote {
			t.Fatalf("a sends to %v, b from %v\n%s", x.path, y.path, w.story())
		}
		b.probe()
		a.rekeyChild()
		w.settled()
		w.agree(1)
		if a.count(EventUp)+b.count(EventUp) != 2 {
			t.Errorf("it is another session\n%s", w.story())
		}
	}
}

// Whatever a peer that has proved itself names as its addresses, few of them are tried, slowly, and none that cannot be its own.
func TestAPeerCannotHaveUsFloodOthers(t *testing.T) {
	w := met(t, 1, nil)
	a := w.side[0]
	ps := []msg.Payload{msg.Notify{Kind: msg.AdditionalIP4Address, Data: []byte{1, 2, 3}}, msg.Notify{Kind: msg.AdditionalIP6Address, Data: []byte{203, 0, 113, 1}}}
	for _, bad := range []string{"127.0.0.1", "0.0.0.0", "224.0.0.251", "255.255.255.255"} {
		ps = append(ps, msg.Notify{Kind: msg.AdditionalIP4Address, Data: netip.MustParseAddr(bad).AsSlice()})
	}
	for _, bad := range []string{"::", "::1", "ff02::1", "::ffff:203.0.113.5"} {
		ps = append(ps, msg.Notify{Kind: msg.AdditionalIP6Address, Data: netip.MustParseAddr(bad).AsSlice()})
	}
	for n := range 50 {
		ps = append(ps, msg.Notify{Kind: msg.AdditionalIP4Address, Data: []byte{203, 0, 113, byte(n)}})
	}
	w.ask(1, msg.Informational, ps...)
	if reach := a.m.Sessions()[0].Reach; len(reach) > maxReach || slices.ContainsFunc(reach, func(r netip.Addr) bool { return !r.Is4() || r.As4()[0] != 203 }) {
		t.Fatalf("%v", reach)
	}
	sent := map[netip.Addr]int{}
	w.lost = func(p Path) bool { sent[p.Remote.Addr()]++; return true }
	a.probe()
	w.run(5 * time.Minute)
	if len(a.up) != 0 {
		t.Fatal("the session lives")
	}
	for at, n := range sent {
		if at != a.other().addr.Addr() && n > 2 {
			t.Errorf("%d messages to %v", n, at)
		}
	}
	if len(sent) != maxReach+1 {
		t.Errorf("of %d addresses %d were tried", maxReach, len(sent)-1)
	}
}
