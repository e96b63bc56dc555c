package quantum

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

func TestAKeyTakesOneRoundTrip(t *testing.T) {
	for i := range 2 {
		w := newWorld(t, 1)
		if w.want(i) {
			t.Fatal("a handshake may begin without a key")
		}
		w.run(time.Minute)
		w.agree()
		if got := w.side[i].first.Sub(1); got != 2*w.latency {
			t.Errorf("the side that began may go on after %v, want one round trip", got)
		}
		if got := w.side[1-i].first.Sub(1); got != 3*w.latency {
			t.Errorf("the other side may go on after %v, want one and a half round trips", got)
		}
		if sent := w.side[i].sent; sent != [...]int{0, 2, 0, 1, 0, 0} {
			t.Errorf("sent %v", sent)
		}
		if sent := w.side[1-i].sent; sent != [...]int{0, 0, 2, 0, 1, 0} {
			t.Errorf("answered %v", sent)
		}
		if !w.want(i) || !w.want(1-i) {
			t.Error("a handshake may not begin although there is a key")
		}
	}
}

func TestNoAnswerIsLongerThanItsQuestion(t *testing.T) {
	w := newWorld(t, 1)
	length := [2]int{}
	w.pass = func(from int, msg *disco.Message) bool {
		length[from] += len(msg.Data)
		if length[1] > length[0] {
			t.Errorf("step %d: answers have %d bytes, questions %d", msg.Step, length[1], length[0])
		}
		return true
	}
	w.want(0)
	w.run(time.Minute)
	w.agree()
}

func TestWhateverIsLostOnceIsRepeated(t *testing.T) {
	for step := stepOffer; step <= stepDone; step++ {
		for index := range uint8(2) {
			w := newWorld(t, 1)
			lost := false
			w.pass = func(_ int, msg *disco.Message) bool {
				if !lost && int(msg.Step) == step && msg.Index == index {
					lost = true
					return false
				}
				return true
			}
			w.want(0)
			w.run(5 * time.Second)
			w.agree()
		}
	}
}

func TestBothBeginAtOnceAndAgree(t *testing.T) {
	w := newWorld(t, 1)
	w.want(0)
	w.want(1)
	w.run(time.Minute)
	w.agree()
	if w.side[0].sent[stepAnswer] != 0 {
		t.Error("the side that insists has answered")
	}
	if got := w.side[0].first.Sub(1); got != 2*w.latency {
		t.Errorf("it took %v, want one round trip", got)
	}
}

func TestASideThatRestartsAtAnyStepAgreesAgain(t *testing.T) {
	for starter := range 2 {
		for victim := range 2 {
			for step := stepOffer; step <= stepDone; step++ {
				w := newWorld(t, 1)
				seen, booted := false, false
				w.pass = func(_ int, msg *disco.Message) bool {
					first := !seen && int(msg.Step) == step
					seen = seen || first
					return !first
				}
				restart := func() {
					if seen && !booted {
						booted = true
						w.boot(victim)
					}
				}
				w.want(starter)
				w.run(time.Minute, restart)
				w.want(0)
				w.want(1)
				if !w.opens(0) || !w.opens(1) { // the tunnel finds out
					w.mismatch(0)
					w.mismatch(1)
				}
				w.run(time.Minute, restart)
				w.agree()
			}
		}
	}
}

func TestAPeerThatRestartedIsAgreedWithInOneRoundTrip(t *testing.T) {
	for victim := range 2 {
		w := newWorld(t, 1)
		w.want(0)
		w.run(time.Minute)
		before := w.side[1-victim].keys.Current
		w.boot(victim)
		w.mismatch(victim) // it refuses a handshake for which it has no key
		w.run(3 * w.latency)
		w.agree()
		if w.side[1-victim].keys.Other != before {
			t.Error("the key before was thrown away")
		}
	}
}

func TestAnOldKeyIsReplacedWhileHandshakesGoOn(t *testing.T) {
	w := newWorld(t, 1)
	w.want(0)
	w.run(time.Minute)
	old := w.side[0].keys.Current
	w.run(RekeyAfter - time.Hour)
	if !w.want(0) || w.side[0].sent[stepOffer] != 2 {
		t.Fatal("a young key was replaced")
	}
	w.run(time.Hour)
	if !w.want(0) {
		t.Fatal("a handshake has to wait for the next key")
	}
	w.run(time.Minute, func() {
		if !w.opens(0) || !w.opens(1) {
			t.Error("for a moment there is no common key")
		}
	})
	w.agree()
	if k := w.side[0].keys; k.Current == old || k.Other != old || w.side[1].keys != k {
		t.Error("the keys were not replaced")
	}
}

func TestNobodyAnswers(t *testing.T) {
	w := newWorld(t, 1)
	w.loss = 1
	w.want(0)
	w.run(2 * Patience)
	s := w.side[0]
	if s.events[EventGaveUp] != 1 || s.events[EventShared] != 0 || s.keys != (Keys{}) || s.sent[stepOffer] < 40 || s.sent[stepOffer] > 60 {
		t.Fatalf("events %v, sent %v", s.events, s.sent)
	}
	if !s.m.Deadline().IsNever() || s.m.running != 0 {
		t.Error("it does not rest")
	}
	w.loss = 0
	if w.want(0) {
		t.Error("no key became a reason to go on without one")
	}
	w.run(time.Minute)
	w.agree()
}

func TestAMachineWithoutWorkRests(t *testing.T) {
	w := newWorld(t, 1)
	w.want(0)
	w.run(time.Hour)
	for i, s := range w.side {
		if !s.m.Deadline().IsNever() {
			t.Errorf("side %d wants to be called at %v", i, time.Duration(s.m.Deadline()))
		}
	}
}

func TestPeersThatTakeNoPartAreNotHindered(t *testing.T) {
	m, out := New(key.WGPublic{1}, nil), new(Out)
	if !m.Want(1, key.WGPublic{9}, out) || len(out.Transmits) != 0 {
		t.Error("a plain peer waits for a key")
	}
	m.Mismatch(1, key.WGPublic{9}, out)
	m.Part(1, key.WGPublic{9}, &disco.Message{Kind: disco.Part, Step: stepConfirm, Of: 1, Data: make([]byte, proofSize)}, out)
	if len(out.Transmits) != 0 || m.Deadline() != mono.Never {
		t.Error("a plain peer is answered")
	}
	if _, has := m.Status(key.WGPublic{9}); has {
		t.Error("it has become one that takes part")
	}
	if m.Put(key.WGPublic{1}) == nil {
		t.Error("we are our own peer")
	}
}

func TestARemovedPeerLeavesNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.want(0)
	s := w.side[0]
	s.m.Remove(s.peer)
	s.m.Remove(s.peer)
	if s.m.running != 0 || !s.m.Deadline().IsNever() || len(s.m.peers) != 0 || s.m.Keys(s.peer) != (Keys{}) {
		t.Error("something is left")
	}
}
