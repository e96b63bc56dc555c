package ike

import (
	"bytes"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// met is a world in which both sides have met.
func met(t testing.TB, seed uint64, change func(n int, c *Config, p *Peer)) *world {
	t.Helper()
	w := newWorld(t, seed, change)
	w.side[0].initiate()
	w.run(time.Second)
	if w.side[0].peer.Child == nil {
		w.agree(0)
	} else {
		w.agree(1)
	}
	for _, s := range w.side {
		s.events = nil
	}
	w.trace = nil
	return w
}

func (s *side) rekeyChild() {
	s.w.t.Helper()
	spi := s.child()
	s.do(func(now mono.Time, id ID, out *Out) error { return s.m.RekeyChild(now, id, spi, out) })
}

// newest is the Child SA of a side that came up last.
func (s *side) newest() (spi uint32) {
	for in := range s.live {
		spi = max(spi, in)
	}
	return spi
}

func (s *side) rekeyNewest() {
	s.w.t.Helper()
	spi := s.newest()
	s.do(func(now mono.Time, id ID, out *Out) error { return s.m.RekeyChild(now, id, spi, out) })
}

func (s *side) deleteNewest() {
	s.w.t.Helper()
	spi := s.newest()
	s.do(func(now mono.Time, id ID, out *Out) error { return s.m.DeleteChild(now, id, spi, out) })
}

func (s *side) deleteChild() {
	s.w.t.Helper()
	spi := s.child()
	s.do(func(now mono.Time, id ID, out *Out) error { return s.m.DeleteChild(now, id, spi, out) })
}

func (s *side) createChild() {
	s.w.t.Helper()
	s.do(func(now mono.Time, id ID, out *Out) error { return s.m.CreateChild(now, id, *s.peer.Child, out) })
}

func (s *side) rekey() { s.w.t.Helper(); s.do(s.m.Rekey) }
func (s *side) probe() { s.w.t.Helper(); s.do(s.m.Probe) }
func (s *side) renew() { s.w.t.Helper(); s.do(s.m.Reauthenticate) }
func (s *side) end()   { s.w.t.Helper(); s.do(s.m.Terminate) }

func TestAChildSAIsReplaced(t *testing.T) {
	for n := range 2 {
		w := met(t, uint64(n), nil)
		s := w.side[n]
		old := s.child()
		s.rekeyChild()
		w.run(time.Second)
		w.agree(1)
		for _, s := range w.side {
			if s.count(EventChildUp) != 1 || s.count(EventChildGone) != 1 || len(s.events) != 2 {
				t.Errorf("%s: %d events\n%s", s.name, len(s.events), w.story())
			}
		}
		if up := s.last(EventChildUp); up.Child.Replaces != old || up.Child.Answered || !w.side[1-n].last(EventChildUp).Child.Answered {
			t.Errorf("it replaces %x, not %x", up.Child.Replaces, old)
		}
	}
}

func TestAnIKESAIsReplacedAndItsChildSAsStay(t *testing.T) {
	for n := range 2 {
		w := met(t, uint64(n), nil)
		old := w.side[0].m.sessions[w.side[0].id()].sa
		w.side[n].rekey()
		w.run(time.Second)
		w.side[1-n].rekeyChild() // over the new one
		w.run(linger + time.Second)
		w.agree(1)
		for _, s := range w.side {
			if s.count(EventRekeyed) != 1 || s.count(EventDown)+s.count(EventChildDown) != 0 {
				t.Errorf("%s: %v", s.name, w.story())
			}
			if now := s.m.sessions[s.id()].sa; now.local == old.local || now.remote == old.remote {
				t.Error("the SPIs are the old ones")
			}
		}
	}
}

func TestChildSAsComeAndGo(t *testing.T) {
	w := met(t, 1, nil)
	w.side[0].createChild()
	w.side[1].createChild()
	w.run(time.Second)
	w.agree(3)
	for spi := range w.side[0].live {
		w.side[0].do(func(now mono.Time, id ID, out *Out) error { return w.side[0].m.DeleteChild(now, id, spi, out) })
	}
	w.run(time.Second)
	w.agree(0)
	if e := w.side[1].last(EventChildDown); e.Reason != NoReason || w.side[1].count(EventChildDown) != 3 {
		t.Errorf("b: %d, %+v", w.side[1].count(EventChildDown), e)
	}
}

func TestTerminating(t *testing.T) {
	for n := range 2 {
		for _, before := range map[string]func(s *side){
			"quiet": func(*side) {}, "probe": (*side).probe, "rekey": (*side).rekey, "rekey child": (*side).rekeyChild, "create": (*side).createChild,
		} {
			w := met(t, 1, nil)
			before(w.side[n])
			w.side[n].end()
			w.run(time.Second)
			w.settled()
			for _, s := range w.side {
				if len(s.up)+len(s.live)+len(s.spis)+len(s.m.sas)+len(s.m.sessions)+len(s.m.names) != 0 || s.count(EventDown) != 1 {
					t.Errorf("%s remembers: %d %d %d %d\n%s", s.name, len(s.up), len(s.live), len(s.spis), len(s.m.sas), w.story())
				}
			}
			if w.side[n].last(EventDown).Reason != Asked || w.side[1-n].last(EventDown).Reason != PeerAsked {
				t.Error(w.story())
			}
		}
	}
}

func TestAPeerThatIsGoneIsNoticed(t *testing.T) {
	w := met(t, 1, func(_ int, c *Config, _ *Peer) { c.Liveness = 10 * time.Second })
	w.run(time.Minute)
	w.agree(1)
	if len(w.side[0].events)+len(w.side[1].events) != 0 {
		t.Errorf("signs of life are no events:\n%s", w.story())
	}
	w.watch = func(from int, _ []byte) bool { return from == 0 }
	w.run(3 * time.Minute)
	if e := w.side[0].last(EventDown); e.Reason != NoAnswer || len(w.side[0].live) != 0 {
		t.Errorf("%+v\n%s", e, w.story())
	}
}

func TestAnIKESAIsReplacedWhenItIsOld(t *testing.T) {
	w := met(t, 1, func(_ int, c *Config, _ *Peer) { c.Lifetime = time.Hour })
	w.run(24 * time.Hour)
	w.settled()
	w.agree(1)
	if n := w.side[0].count(EventRekeyed); n < 24 || n > 50 {
		t.Errorf("%d times in a day", n)
	}
}

func TestMethodsAreGuessedAgain(t *testing.T) {
	w := newWorld(t, 1, func(n int, c *Config, _ *Peer) {
		if n == 0 {
			groups(msg.KECurve25519, msg.KEP384, msg.KEP256)(c)
		} else {
			groups(msg.KEP256)(c)
		}
	})
	w.side[0].initiate()
	w.run(time.Second)
	w.side[0].rekeyChild()
	w.run(time.Second)
	w.side[0].rekey()
	w.run(time.Second)
	w.settled()
	w.agree(1)
	if w.side[0].count(EventChildGone) != 1 || w.side[0].count(EventRekeyed) != 1 {
		t.Error(w.story())
	}
}

// groups leaves a profile these key exchanges.
func groups(ids ...msg.TransformID) func(c *Config) {
	return func(c *Config) {
		for _, list := range [][]msg.Proposal{c.Profile.IKE, c.Profile.ESP} {
			for i := range list {
				var kept []msg.Transform
				for _, tr := range list[i].Transforms {
					if tr.Type != msg.KeyExchange {
						kept = append(kept, tr)
					}
				}
				for _, id := range ids {
					kept = append(kept, msg.Transform{Type: msg.KeyExchange, ID: id})
				}
				list[i].Transforms = kept
			}
		}
	}
}

// While we replace an IKE SA, no Child SA is made on it or replaced: the peer is told to ask again (§2.25.1).
func TestNothingIsMadeOnAnIKESAThatIsReplaced(t *testing.T) {
	ts := everything()
	nonce := msg.Nonce(bytes.Repeat([]byte{7}, 32))
	for _, replace := range []bool{false, true} {
		w := met(t, 1, nil)
		b := w.side[1]
		b.rekey()
		w.flight = nil // a has not heard of it yet
		ask := []msg.Payload{esp(4096), nonce, msg.TSi(ts), msg.TSr(ts)}
		if replace {
			ask = append(ask, msg.Notify{Protocol: msg.ProtocolESP, SPI: spi4(w.side[0].child()), Kind: msg.RekeySA})
		}
		no, refused := msg.Refusal(w.ask(0, msg.CreateChildSA, ask...))
		if !refused || no.Kind != msg.TemporaryFailure || len(b.live) != 1 {
			t.Errorf("replace %v: %v %s\n%s", replace, refused, no.Kind, w.story())
		}
	}
}
