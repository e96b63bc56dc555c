package wg_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	core "github.com/cvlan/cvlan/internal/core/wg"
)

// nobody returns addresses on the outside at which nobody is.
func nobody(n int) (all []netip.AddrPort) {
	for i := range n {
		all = append(all, netip.AddrPortFrom(place(byte(200+i)), 41641))
	}
	return all
}

// moves gives the end another outside address.
func (e *end) moves(n byte) {
	e.w.Helper()
	if err := e.sock.Move(place(n)); err != nil {
		e.w.Fatal(err)
	}
	e.home = place(n)
}

func TestPeerThatMovesIsFollowedWithoutAHandshake(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		before := a.of(b).LastHandshake
		for n := byte(20); n < 30; n++ {
			b.moves(n)
			w.talk(b, a, rtt) // its own packet tells where it is
			if to := a.of(b).Endpoint.Addr(); to != place(n) {
				w.Errorf("b is thought to be at %v, not %v", to, place(n))
			}
		}
		if !a.of(b).LastHandshake.Equal(before) {
			w.Error("a handshake was made")
		}
	})
}

func TestBothMoveOneAfterTheOther(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		for i := range byte(5) {
			a.moves(20 + i)
			w.talk(a, b, rtt)
			b.moves(40 + i)
			w.talk(b, a, rtt)
		}
	})
}

// Neither hears the other any more; who knows a candidate finds the way. The other may insist on its own handshake first, which does not
// arrive.
func TestBothMoveAtOnceAndMeetAtACandidate(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		a.moves(20)
		b.moves(40)
		a.knows(b)
		start := time.Now()
		for i := 0; ; i++ {
			a.says(b, fmt.Sprint(i))
			if b.hears(fmt.Sprint(i), time.Second) {
				break
			}
			if time.Since(start) > silence+2*retry {
				w.Fatal("they do not meet")
			}
		}
		w.talk(b, a, rtt)
	})
}

func TestOneGoodCandidateAmongDeadOnesIsEnough(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		b.knows(a, at())
		a.knows(b, at(append(nobody(15), b.at())...))
		w.talk(a, b, rtt*3/2)
		if to := a.of(b).Endpoint; to != b.at() {
			w.Errorf("b is thought to be at %v", to)
		}
		w.Pass(passive)
		before := w.Carried()
		for range 30 {
			a.says(b, "x")
			w.Pass(time.Second)
		}
		if n := w.Carried() - before; n > 36 { // and some acknowledgements
			w.Errorf("%d datagrams for 30 packets: the dead candidates are still tried", n)
		}
	})
}

func TestCandidateThatComesLateGetsTheWaitingOpening(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		b.knows(a, at())
		a.knows(b, at(nobody(3)...))
		a.says(b, "early")
		w.Pass(time.Second)
		a.knows(b, at(append(nobody(3), b.at())...))
		if !b.hears("early", rtt*3/2) {
			w.Error("it waited for the next attempt")
		}
	})
}

func TestCandidateThatComesAfterTheAnswerGetsNothing(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		w.Pass(passive + time.Second)
		before := w.Carried()
		a.knows(b, at(nobody(3)...))
		w.Pass(time.Minute)
		if n := w.Carried() - before; n != 0 {
			w.Errorf("%d datagrams", n)
		}
	})
}

// A peer that moves and stays silent is found at another candidate as soon as we doubt where it was.
func TestWakeFindsASilentPeerElsewhere(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		w.Pass(time.Minute)
		old := b.at()
		b.moves(40)
		a.knows(b, at(old, b.at()))
		a.Wake()
		w.Pass(rtt + rtt/2)
		w.talk(a, b, rtt/2)
	})
}

// Our own network has changed while a handshake was under way: its message goes out again at once.
func TestWakeRepeatsAnOpeningThatWaits(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.Silence(a.home, true)
		a.says(b, "early")
		w.Pass(time.Second)
		a.moves(20)
		a.Wake()
		if !b.hears("early", rtt*3/2) {
			w.Error("it waited for the next attempt")
		}
	})
}

func TestWakeLeavesPeersWithoutASessionAlone(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		a.Wake()
		w.Pass(time.Minute)
		if n := w.Carried(); n != 0 {
			w.Errorf("%d datagrams to a peer that nobody spoke to", n)
		}
		w.talk(a, b, time.Second)
	})
}

// The one that sends is cut off and nothing tells it so; when it is heard of again traffic goes on without a handshake.
func TestShortInterruptionCostsOnlyWhatWasUnderWay(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		before := a.of(b).LastHandshake
		w.Change(func() { w.Cut = true })
		for range 10 {
			a.says(b, "lost")
			w.Pass(time.Second)
		}
		w.Change(func() { w.Cut = false })
		w.talk(a, b, rtt)
		if !a.of(b).LastHandshake.Equal(before) {
			w.Error("a handshake was made")
		}
	})
}

// A renewal of a session that lives goes to the one place where the peer is, not to all that are known.
func TestRenewalGoesToOnePlace(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		b.knows(a, at())
		a.knows(b, at(append(nobody(5), b.at())...))
		w.talk(a, b, time.Second)
		initiations := 0
		a.datagrams(func(d []byte) {
			if core.KindOf(d) == core.KindInitiation {
				initiations++
			}
		})
		for range 600 {
			a.says(b, "x")
			b.says(a, "y")
			w.Pass(time.Second)
			a.heard()
			b.heard()
		}
		synctest.Wait()
		if initiations < 4 || initiations > 6 {
			w.Errorf("%d initiations in ten minutes", initiations)
		}
	})
}
