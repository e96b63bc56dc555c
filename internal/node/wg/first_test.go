package wg_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// waits is how many packets of one peer wait for a session.
const waits = 128

func TestFirstPacketWaitsForTheHandshakeAndIsAnswered(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		start := time.Now()
		a.says(b, "hello")
		if !b.hears("hello", time.Second) {
			w.Fatal("not heard")
		}
		if took := time.Since(start); took != rtt/2*3 { // initiation, response, packet
			w.Errorf("took %v", took)
		}
		b.says(a, "hello back")
		if !a.hears("hello back", rtt) {
			w.Fatal("the answer is not heard at once")
		}
		for _, s := range []tunnel.PeerState{a.of(b), b.of(a)} {
			if s.LastHandshake.IsZero() || s.SessionSince.IsZero() || s.Attempting || s.Waiting != 0 || s.TxPackets == 0 || s.RxPackets == 0 || len(s.Drops) > 0 {
				w.Errorf("%+v", s)
			}
		}
		if to := a.of(b).Endpoint; to != b.at() {
			w.Errorf("b is thought to be at %v", to)
		}
	})
}

func TestAnsweringSideNeedsNoCandidates(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		a.knows(b)
		b.knows(a, at())
		w.talk(a, b, time.Second)
		if to := b.of(a).Endpoint; to != a.at() {
			w.Errorf("a is thought to be at %v", to)
		}
	})
}

func TestOfTooManyWaitingPacketsTheNewestStay(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		const n = 200
		for i := range n {
			a.says(b, fmt.Sprint(i))
		}
		w.Pass(rtt / 4)
		if s := a.of(b); s.Waiting != waits || !s.Attempting {
			w.Errorf("before the answer: %+v", s)
		}
		w.Pass(time.Second)
		all := b.heard()
		if len(all) != waits {
			w.Fatalf("%d of %d have arrived, want %d", len(all), n, waits)
		}
		for i, text := range all {
			if text != fmt.Sprint(n-waits+i) {
				w.Fatalf("packet %d is %q", i, text)
			}
		}
		a.wantDrops(map[tunnel.Reason]uint64{tunnel.NoSession: n - waits})
		if s := a.of(b); s.Waiting != 0 || s.Drops[tunnel.NoSession.String()] != n-waits {
			w.Errorf("afterwards: %+v", s)
		}
	})
}

// Packets leave while the handshake is under way, at its end, and after it: each overtakes none.
func TestOrderOutlivesTheBirthOfASession(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		const n = 400
		for i := range n {
			a.says(b, fmt.Sprint(i))
			time.Sleep(rtt / 100)
		}
		w.Pass(time.Second)
		all := b.heard()
		if len(all) != n {
			w.Errorf("%d of %d have arrived", len(all), n)
		}
		for i, text := range all {
			if text != fmt.Sprint(i) {
				w.Fatalf("packet %d is %q", i, text)
			}
		}
	})
}

func TestPacketsWaitInVainForAPeerThatIsNowhere(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		a.knows(b, at())
		a.says(b, "lost")
		w.Pass(time.Second)
		if s := a.of(b); s.Waiting != 1 || s.Endpoint.IsValid() || s.Drops[tunnel.NoPath.String()] != 2 {
			w.Errorf("at first: %+v", s)
		}
		w.Pass(2 * time.Minute)
		s := a.of(b)
		if s.Waiting != 0 || s.Attempting || s.Drops[tunnel.NoSession.String()] != 1 {
			w.Errorf("at last: %+v", s)
		}
		before := w.Carried()
		w.Pass(time.Hour)
		if n := w.Carried() - before; n != 0 {
			w.Errorf("%d datagrams after giving up", n)
		}
	})
}
