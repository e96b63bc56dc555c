package wg

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
)

func psk(b byte) key.Preshared { return key.RawPreshared([32]byte{b}) }

// guarded gives each side a key and another one.
func guarded(current, other [2]byte) func(int, *Config, *Peer) {
	return func(side int, _ *Config, p *Peer) {
		p.Guarded, p.Preshared, p.Other = true, psk(current[side]), psk(other[side])
	}
}

// give changes a side's keys while it runs.
func (w *world) give(side int, current, other byte) {
	w.t.Helper()
	s := w.side[side]
	if err := s.m.Put(w.now, Peer{Public: w.pub[1-side], Guarded: true, Preshared: psk(current), Other: psk(other)}, &s.out); err != nil {
		w.t.Fatal(err)
	}
	s.flush(w.now)
}

func TestOneKeyInCommonIsEnough(t *testing.T) {
	for what, keys := range map[string][2][2]byte{
		"the same":                           {{1, 1}, {0, 0}},
		"the responder is behind":            {{2, 1}, {1, 0}},
		"the responder is ahead":             {{1, 2}, {2, 0}},
		"both have both, in different order": {{1, 2}, {2, 1}},
	} {
		w := newWorld(t, 20, guarded(keys[0], keys[1]))
		w.say(0, "hello")
		w.run(time.Second)
		if len(w.side[1].got) != 1 || w.side[0].seen(EventMismatch) != 0 {
			t.Errorf("%s: side 1 heard %q", what, w.side[1].got)
		}
	}
}

func TestNoKeyInCommonIsAMismatch(t *testing.T) {
	w := newWorld(t, 20, guarded([2]byte{1, 3}, [2]byte{2, 4}))
	w.say(0, "never")
	w.run(time.Second)
	if len(w.side[1].got) != 0 || w.side[0].seen(EventMismatch) != 1 || w.side[0].drops[DropForged] != 1 {
		t.Errorf("heard %q, events %d, drops %v", w.side[1].got, w.side[0].seen(EventMismatch), w.side[0].drops)
	}
}

// No key must never be taken for one: neither may a responder that has lost its key answer without, nor may such an answer open.
func TestAGuardedPeerIsNeverAnsweredWithoutAKey(t *testing.T) {
	w := newWorld(t, 20, guarded([2]byte{1, 0}, [2]byte{0, 0}))
	w.say(0, "never")
	w.run(time.Second)
	if w.sent[1][KindResponse] != 0 || w.side[1].drops[DropUnshared] != 1 || w.side[1].seen(EventMismatch) != 1 || w.side[1].seen(EventHeard) != 1 {
		t.Errorf("sent %v, drops %v", w.sent[1], w.side[1].drops)
	}
	w = newWorld(t, 20, func(side int, _ *Config, p *Peer) {
		if side == 0 {
			p.Guarded, p.Preshared = true, psk(1)
		}
	})
	w.say(0, "never")
	w.run(time.Second)
	if w.sent[1][KindResponse] == 0 || len(w.side[1].got) != 0 || w.side[0].seen(EventMismatch) == 0 {
		t.Error("an answer without a key opens")
	}
}

func TestAHandshakeWaitsForItsKey(t *testing.T) {
	w := newWorld(t, 20, guarded([2]byte{0, 0}, [2]byte{0, 0}))
	w.say(0, "hello")
	w.run(time.Minute)
	if w.sent[0][KindInitiation] != 0 || w.side[0].seen(EventMismatch) == 0 {
		t.Fatal("a handshake begins without a key")
	}
	w.give(1, 7, 0)
	w.give(0, 7, 0)
	w.run(time.Second)
	w.heard(1, "hello")
}

func TestAnAttemptBeginsAnewWithANewKey(t *testing.T) {
	w := newWorld(t, 20, guarded([2]byte{1, 0}, [2]byte{0, 0})) // side 1 has restarted
	w.say(0, "hello")
	w.run(100 * time.Millisecond)
	w.give(1, 2, 0)
	w.give(0, 2, 1)
	w.run(2 * unheard)
	w.heard(1, "hello")
}

func TestAnAnswerOnItsWayOutlivesItsKey(t *testing.T) {
	w := newWorld(t, 20, guarded([2]byte{1, 0}, [2]byte{1, 0}))
	w.say(0, "hello")
	w.run(time.Millisecond)
	w.give(1, 2, 1) // a day has passed, and both agree anew
	w.give(0, 2, 1)
	w.run(100 * time.Millisecond)
	if w.heard(1, "hello"); w.sent[0][KindInitiation] != 1 {
		t.Fatalf("%d initiations", w.sent[0][KindInitiation])
	}
}

func TestASessionOutlivesItsKey(t *testing.T) {
	w := newWorld(t, 20, guarded([2]byte{1, 1}, [2]byte{0, 0}))
	w.talk(time.Second)
	w.give(0, 0, 0)
	w.give(1, 0, 0)
	w.talk(time.Second)
	if n := w.sent[0][KindInitiation] + w.sent[1][KindInitiation]; n != 1 {
		t.Errorf("%d initiations", n)
	}
}
