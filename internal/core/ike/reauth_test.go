package ike

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// expiring has b's proofs of others hold for a while.
func expiring(d time.Duration, who int) func(n int, c *Config, p *Peer) {
	return func(n int, c *Config, p *Peer) {
		p.Unique = true
		if n == who {
			c.Reauthenticate = d
		}
	}
}

// Whoever of both does not believe for ever, the initiator proves both anew in time, before the old session goes.
func TestProofsAreRenewedBeforeTheyEnd(t *testing.T) {
	for who := range 2 {
		w := met(t, 1, expiring(10*time.Minute, who))
		w.run(time.Hour)
		w.settled()
		w.agree(1)
		for _, s := range w.side {
			if n := s.count(EventUp); n < 6 || n > 11 {
				t.Errorf("%s has proved itself %d times in an hour", s.name, n)
			}
			if e := s.last(EventDown); e.Reason != Replaced && e.Reason != PeerAsked {
				t.Errorf("%s: the old one ends because of %s", s.name, e.Reason)
			}
			live := 1
			for _, e := range s.events {
				switch e.Kind {
				case EventChildUp:
					live++
				case EventChildDown, EventChildGone:
					if live--; live == 0 {
						t.Errorf("%s had no Child SA for a moment\n%s", s.name, w.story())
					}
				}
			}
		}
	}
}

// What else there was besides the first Child SA is made again before the old session goes.
func TestAllChildSAsOutliveTheirProof(t *testing.T) {
	w := met(t, 1, nil)
	w.side[0].createChild()
	w.side[0].createChild()
	w.run(time.Second)
	w.agree(3)
	w.side[0].do(w.side[0].m.Reauthenticate)
	w.run(time.Second)
	w.settled()
	w.agree(3)
}

func TestAResponderAsksForAProof(t *testing.T) {
	w := met(t, 1, nil)
	before := w.side[1].id()
	w.side[1].do(w.side[1].m.Reauthenticate)
	w.run(2 * time.Minute)
	w.settled()
	w.agree(1)
	if w.side[1].id() == before {
		t.Error("it is the old session")
	}
}

// A peer that does not prove itself anew is cut off when its proof ends, and not before.
func TestWhoDoesNotProveItselfAnewIsCutOff(t *testing.T) {
	w := met(t, 1, expiring(10*time.Minute, 1))
	for _, x := range w.side[0].m.sessions {
		x.reauthAt = mono.Never // it takes no notice
	}
	w.run(9 * time.Minute)
	w.agree(1)
	w.run(2 * time.Minute)
	if e := w.side[1].last(EventDown); e.Reason != ProofOver || len(w.side[0].up)+len(w.side[1].up) != 0 {
		t.Errorf("%+v\n%s", e, w.story())
	}
}

// A certificate that ends, ends the session: evidence says until when it holds.
func TestEvidenceEnds(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.side[1].judge = func(msg.Identity, []msg.Cert) (crypt.Evidence, error) {
		return crypt.Evidence{Shared: secret, Until: mono.Time(30 * time.Minute)}, nil
	}
	w.side[0].initiate()
	w.run(29 * time.Minute)
	if len(w.side[1].up) != 1 {
		t.Fatal(w.story())
	}
	w.run(2 * time.Minute)
	for id := range w.side[1].up {
		if at := w.side[1].m.sessions[id].proofEnds; at <= w.now {
			t.Errorf("a session has outlived its proof\n%s", w.story())
		}
	}
}

// The peer may be away while we prove ourselves anew: the old session stays, and we try again.
func TestAReauthenticationThatIsNotAnswered(t *testing.T) {
	w := met(t, 1, nil)
	deaf := true
	w.watch = func(int, []byte) bool { return !deaf }
	w.side[0].do(w.side[0].m.Reauthenticate)
	w.run(170 * time.Second)
	if len(w.side[0].up) != 1 {
		t.Fatal(w.story())
	}
	deaf = false
	w.run(5 * time.Minute)
	w.settled()
	w.agree(1)
	if w.side[0].count(EventUp) != 1 {
		t.Error(w.story())
	}
}

// A user who hangs up while a new session is being made wants neither.
func TestHangingUpEndsARenewalToo(t *testing.T) {
	for n := range 2 {
		w := met(t, 1, nil)
		w.side[0].do(w.side[0].m.Reauthenticate)
		w.side[n].end()
		w.run(time.Minute)
		w.settled()
		if n == 0 && len(w.side[0].up)+len(w.side[1].up) > 0 {
			t.Error(w.story())
		}
	}
}

// Who hangs up may have been taken at its word already: the peer, whose answer nobody waits for any more, is told. So it is if both have.
func TestAPeerThatHasTakenAProofIsToldOfTheEnd(t *testing.T) {
	for name, both := range map[string]bool{"one": false, "both": true} {
		t.Run(name, func(t *testing.T) {
			w := met(t, 1, nil)
			a, b := w.side[0], w.side[1]
			w.watch = func(_ int, data []byte) bool { // no proof is answered
				h, err := msg.ParseHeader(data)
				return err != nil || h.Exchange != msg.IKEAuth || !h.Has(msg.Response)
			}
			a.renew()
			if both {
				b.m.sessions[b.id()].reauthenticate(&b.out)
				b.flush()
			}
			w.run(time.Second)
			if len(b.up) != 2 || both && len(a.up) != 2 {
				t.Fatal(w.story())
			}
			a.do(func(now mono.Time, _ ID, out *Out) error { return a.m.Terminate(now, sorted(a.up)[0], out) })
			w.run(100 * time.Millisecond)
			w.watch = nil
			w.run(10 * time.Second)
			for _, s := range w.side {
				if len(s.up)+len(s.live)+len(s.spis)+len(s.m.sessions) > 0 {
					t.Errorf("%s still has sessions\n%s", s.name, w.story())
				}
			}
			w.settled()
			for _, s := range w.side {
				if len(s.m.sas) > 0 {
					t.Errorf("%s keeps %d IKE SAs\n%s", s.name, len(s.m.sas), w.story())
				}
			}
		})
	}
}

// A peer that has lost everything says so at the first message, and is met again at once; what was lost is not waited for.
func TestAPeerThatRestartedIsMetAgainAtOnce(t *testing.T) {
	for who := range 2 {
		w := met(t, 1, func(_ int, _ *Config, p *Peer) { p.Unique = true })
		a, b := w.side[who], w.side[1-who]
		w.restart(b)
		a.probe()
		w.run(3 * time.Second)
		if len(b.up) != 1 || b.count(EventUp) != 1 {
			t.Fatalf("%d\n%s", who, w.story())
		}
		w.settled()
		w.agree(1)
	}
}

// restart makes a side anew, without what it knew.
func (w *world) restart(s *side) {
	w.t.Helper()
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], w.rnd.Uint64())
	m, err := New(s.cfg, rand.NewChaCha8(seed))
	if err != nil {
		w.t.Fatal(err)
	}
	m.method = s.m.method
	s.m, s.events, s.up, s.live, s.spis = m, nil, map[ID]bool{}, map[uint32]ChildSA{}, map[uint32]bool{}
}

// A hint that anybody can send makes us ask, once a minute at most, and ends nothing.
func TestAForgedHintEndsNothing(t *testing.T) {
	w := met(t, 1, nil)
	a := w.side[0]
	x := a.m.sessions[a.id()]
	w.watch = func(from int, data []byte) bool { return false } // nothing arrives but what is forged
	a.probe()
	hint := func() {
		h := x.sa.header(msg.Informational, x.sa.pending.id, msg.Response)
		h.Flags &^= msg.FromInitiator
		raw, err := msg.Message{Header: h, Payloads: []msg.Payload{msg.Notify{Kind: msg.InvalidIKESPI}}}.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		a.m.Datagram(w.now, a.path(), raw, &a.out)
		a.flush()
	}
	for range 50 {
		hint()
		w.run(100 * time.Millisecond)
	}
	if len(a.m.calls) != 1 || len(a.up) != 1 {
		t.Errorf("%d calls, %d sessions\n%s", len(a.m.calls), len(a.up), w.story())
	}
	w.watch = nil
	w.run(time.Minute)
	w.settled()
	w.agree(1)
}

// Hints about SAs that are not there are as long as what asks for them at most, and there are few.
func TestHintsToStrangersAreFew(t *testing.T) {
	w := newWorld(t, 1, nil)
	a := w.side[0]
	raw, _ := msg.Message{Header: msg.Header{SPIi: 1, SPIr: 2, Exchange: msg.Informational, Flags: msg.FromInitiator}}.Append(nil)
	var out Out
	a.m.Datagram(1, a.path(), raw, &out)
	if len(out.Transmits) > 0 {
		t.Error("an empty message is answered with more than it has")
	}
	raw, _ = msg.Message{Header: msg.Header{SPIi: 1, SPIr: 2, Exchange: msg.Informational, Flags: msg.FromInitiator}, Payloads: []msg.Payload{msg.Nonce(make([]byte, 32))}}.Append(nil)
	for range 1000 {
		a.m.Datagram(w.now, a.path(), raw, &out)
	}
	if n := len(out.Transmits); n != maxHints {
		t.Errorf("%d hints at once", n)
	}
	if len(out.Transmits[0].Data) > len(raw) {
		t.Error("the answer is longer than the question")
	}
	answer := out.Transmits[0].Data
	out.Reset()
	a.m.Datagram(w.now.Add(time.Minute), a.path(), answer, &out)
	if len(out.Transmits) > 0 {
		t.Error("a hint is answered with a hint")
	}
	a.m.Datagram(w.now.Add(time.Minute), a.path(), raw, &out)
	if len(out.Transmits) != 1 {
		t.Error("there are no more hints after a minute")
	}
}
