package ike

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// moves has a side be elsewhere from now on.
func (s *side) moves(to string) Path {
	s.w.t.Helper()
	s.addr = netip.MustParseAddrPort(to)
	s.do(func(now mono.Time, id ID, out *Out) error { return s.m.Move(now, id, s.path(), out) })
	return s.path()
}

func TestAnInitiatorMoves(t *testing.T) {
	w := met(t, 1, nil)
	a, b := w.side[0], w.side[1]
	next := a.moves("203.0.113.5:4500")
	w.run(time.Second)
	if e := a.last(EventMoved); e.Path != next {
		t.Errorf("a: %+v", e)
	}
	if e := b.last(EventMoved); e.Path.Remote != next.Local || e.NAT != (NAT{}) {
		t.Errorf("b: %+v\n%s", e, w.story())
	}
	b.probe()
	w.run(time.Second)
	w.agree(1)
	if a.count(EventUp) != 0 {
		t.Error("it is another session")
	}
}

// A responder may not say that it has moved. It begins a session from where it is, which takes the place of the old one.
func TestAResponderMoves(t *testing.T) {
	w := met(t, 1, nil)
	a, b := w.side[0], w.side[1]
	next := b.moves("203.0.113.5:4500")
	w.run(2 * time.Second)
	w.settled()
	w.agree(1)
	if x := a.m.sessions[a.id()]; x.path.Remote != next.Local || x.began {
		t.Errorf("a sends to %v\n%s", x.path, w.story())
	}
}

// Who does not speak MOBIKE follows what it hears where it knows of a NAT, and hears something at once.
func TestAPeerThatFollowsHearsAProbe(t *testing.T) {
	for _, mover := range []int{0, 1} {
		w := met(t, 1, func(_ int, _ *Config, p *Peer) { p.Follows = true })
		s, other := w.side[mover], w.side[1-mover]
		before := s.count(EventUp)
		next := s.moves("203.0.113.5:4500")
		w.run(time.Second)
		if e := other.last(EventHeard); e.Path.Remote != next.Local || s.count(EventUp) != before || s.count(EventMoved) != 0 {
			t.Errorf("it heard %+v\n%s", e, w.story())
		}
	}
}

// A responder that is heard from elsewhere is told by the initiator that it goes by the new path now.
func TestAnInitiatorFollowsAResponder(t *testing.T) {
	w := met(t, 1, nil)
	a, b := w.side[0], w.side[1]
	b.addr = netip.MustParseAddrPort("203.0.113.5:4500")
	b.m.sessions[b.id()].path = b.path()
	b.probe()
	w.run(time.Second)
	if x := a.m.sessions[a.id()]; x.path.Remote != b.addr || a.count(EventMoved) != 1 || b.count(EventMoved) != 1 {
		t.Errorf("a sends to %v\n%s", x.path, w.story())
	}
	w.agree(1)
}

// What waits for an answer when we move goes by the new path at once.
func TestWhatIsUnansweredMovesToo(t *testing.T) {
	w := met(t, 1, nil)
	a := w.side[0]
	w.watch = func(from int, _ []byte) bool { return false }
	a.rekeyChild()
	w.run(500 * time.Millisecond)
	w.watch = nil
	a.moves("203.0.113.5:4500")
	w.run(100 * time.Millisecond)
	if a.count(EventMoved) != 1 || a.count(EventChildUp) != 1 {
		t.Errorf("it is late\n%s", w.story())
	}
	w.settled()
	w.agree(1)
}

// Somebody who repeats the peer's messages from elsewhere does not draw our messages there, and the session lives.
func TestAPathIsProvedBeforeItIsUsed(t *testing.T) {
	for _, roam := range []int{0, 1} {
		w := met(t, 1, nil)
		s, other := w.side[roam], w.side[1-roam]
		before := other.m.sessions[other.id()].path
		thief := netip.MustParseAddrPort("203.0.113.66:1")
		w.watch = func(from int, _ []byte) bool { // nothing reaches whom the thief pretends to be
			for _, x := range other.m.sessions {
				return from == roam || x.sa.pending == nil || x.sa.pending.path == nil
			}
			return true
		}
		if roam == 0 {
			s.do(func(now mono.Time, id ID, out *Out) error { return s.m.Move(now, id, s.path(), out) })
		} else {
			s.probe()
		}
		for i := range w.flight {
			w.flight[i].path.Remote = thief
		}
		w.run(2 * time.Minute)
		if x := other.m.sessions[other.id()]; x == nil || x.path != before || other.count(EventMoved) != 0 {
			t.Fatalf("%s believes the thief\n%s", other.name, w.story())
		}
		other.rekeyChild()
		w.settled()
		w.agree(1)
	}
}

func TestMOBIKEIsNotOfferedToWhoFollows(t *testing.T) {
	for only := range 2 {
		w := met(t, 1, func(n int, _ *Config, p *Peer) { p.Follows = n == only })
		for _, s := range w.side {
			if s.m.Sessions()[0].MOBIKE {
				t.Errorf("%s would move", s.name)
			}
		}
	}
}
