package wg_test

import (
	"fmt"
	"testing"
	"time"
)

// silence is how long data goes unanswered before a session is thought to be dead.
const silence = 15 * time.Second

// The answer leaves at the very moment at which the news of the new session has come in.
func TestFirstAnswerToARebootedPeerIsNotLost(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		for range 50 {
			b.reboots()
			b.knows(a)
			w.talk(b, a, 2*rtt)
			time.Sleep(time.Second)
		}
	})
}

func TestPeerThatForgotEverythingIsReachedAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		b.reboots()
		b.knows(a)
		start := time.Now()
		for i := 0; ; i++ {
			a.says(b, fmt.Sprint(i)) // b cannot tell us that it knows nothing of this
			if b.hears(fmt.Sprint(i), time.Second) {
				break
			}
			if time.Since(start) > silence+retry {
				w.Fatal("b is not reached")
			}
		}
		if took := time.Since(start); took < silence-time.Second {
			w.Errorf("b was reached after %v: it had not forgotten", took)
		}
		w.talk(a, b, time.Second)
	})
}

func TestBothBeginAtOnce(t *testing.T) {
	for seed := range uint64(seeds(50)) {
		inWorld(t, seed, func(w *world) {
			w.Jitter = rtt
			a, b := w.pair()
			a.says(b, "from a")
			b.says(a, "from b")
			if !a.hears("from b", time.Second) || !b.hears("from a", time.Second) {
				w.Fatal("they did not meet at once")
			}
			w.Pass(time.Second)
			w.talk(a, b, 3*rtt)
			if before := a.of(b).LastHandshake; before.IsZero() || b.of(a).LastHandshake.IsZero() {
				w.Error("no handshake was completed")
			}
		})
	}
}

func TestRemovedPeerIsAStrangerAndComesBackAsNew(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		a.RemovePeer(b.name)
		a.RemovePeer(b.name) // no harm
		a.says(b, "to nobody")
		b.says(a, "from nobody")
		w.Pass(time.Minute)
		if all := a.heard(); len(all) != 0 {
			w.Errorf("a hears %q of a peer that it does not know", all)
		}
		drops := a.State().Drops
		if len(a.Peers()) != 0 || drops["no_route"] != 1 || drops["unknown_index"] == 0 || drops["unknown_peer"] == 0 {
			w.Errorf("peers %v, drops %v", a.Peers(), drops)
		}
		a.knows(b)
		if s := a.of(b); s.RxPackets != 0 || !s.LastHandshake.IsZero() || s.Endpoint.IsValid() {
			w.Errorf("what is remembered of a removed peer: %+v", s)
		}
		w.talk(a, b, retry+time.Second)
	})
}

// Packets that wait go with the peer, and do not come back with it.
func TestRemovedPeerTakesItsWaitingPacketsWithIt(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		memory := a.State().Memory
		for range 2 * waits {
			a.says(b, "early")
		}
		w.Pass(rtt / 4)
		a.RemovePeer(b.name)
		a.knows(b)
		w.Pass(time.Minute)
		if all := b.heard(); len(all) != 0 {
			w.Errorf("%d packets of a removed peer have arrived", len(all))
		}
		w.talk(a, b, retry)
		if now := a.State().Memory; now > memory+waits*1536 {
			w.Errorf("%d bytes of packet memory, %d before", now, memory)
		}
	})
}
