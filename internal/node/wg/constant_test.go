package wg_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
)

// Times of the protocol.
const (
	rejectAfter = 180 * time.Second
	passive     = 10 * time.Second // data is acknowledged by something within this time
	retry       = 5*time.Second + 334*time.Millisecond
)

func TestConstantTrafficLosesNothingThroughTenKeys(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		every := tunneltest.Brief(100*time.Millisecond, time.Second)
		n := int(30 * time.Minute / every)
		heard, keys := map[*end]int{}, 0
		since := a.of(b).SessionSince
		for i := range n {
			a.says(b, fmt.Sprint(i))
			b.says(a, fmt.Sprint(i))
			time.Sleep(every)
			synctest.Wait()
			for _, e := range []*end{a, b} {
				for _, text := range e.heard() {
					if text != fmt.Sprint(heard[e]) {
						w.Fatalf("%d hears %q, want %d", e.n, text, heard[e])
					}
					heard[e]++
				}
			}
			if now := a.of(b).SessionSince; !now.Equal(since) {
				since, keys = now, keys+1
			}
		}
		w.Pass(time.Second)
		for _, e := range []*end{a, b} {
			if all := heard[e] + len(e.heard()); all != n {
				w.Errorf("%d has heard %d of %d", e.n, all, n)
			}
			e.wantDrops(nil)
		}
		if keys < 12 || keys > 16 { // one in 120 s
			w.Errorf("%d keys in 30 minutes", keys)
		}
	})
}

// One side talks, the other only listens: keys change all the same, and nothing is lost.
func TestOneWayTrafficLosesNothing(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		const every = time.Second
		n := int(time.Hour / every)
		heard := 0
		for i := range n {
			if i == n/2 {
				a, b, heard = b, a, heard+len(a.heard())+len(b.heard())
			}
			a.says(b, fmt.Sprint(i))
			time.Sleep(every)
			heard += len(b.heard())
		}
		w.Pass(time.Second)
		if heard += len(b.heard()); heard != n {
			w.Errorf("%d of %d have arrived", heard, n)
		}
	})
}

func TestKeepaliveAloneKeepsASessionFresh(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.end(1), w.end(2)
		b.knows(a, at())
		a.knows(b, every(25*time.Second)) // and is spoken to at once
		w.Pass(time.Second)
		for range 120 {
			w.Pass(30 * time.Second)
			for _, s := range []time.Time{a.of(b).SessionSince, b.of(a).SessionSince} {
				if s.IsZero() || time.Since(s) >= rejectAfter {
					w.Fatalf("a session of %v", s)
				}
			}
		}
		before := a.of(b).LastHandshake
		b.says(a, "at once")
		if !a.hears("at once", rtt) || !a.of(b).LastHandshake.Equal(before) {
			w.Error("the session could not be used")
		}
		// 144 keepalives in an hour, and 30 handshakes of three messages, one of which is a keepalive.
		if n := w.Carried(); n < 120 || n > 300 {
			w.Errorf("%d datagrams in an hour", n)
		}
		a.knows(b) // off again
		w.Pass(time.Hour)
		quiet := w.Carried()
		w.Pass(time.Hour)
		if n := w.Carried() - quiet; n != 0 {
			w.Errorf("%d datagrams without a keepalive", n)
		}
	})
}

func TestIdlePeersAreSilent(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.Pass(time.Hour)
		if n := w.Carried(); n != 0 {
			w.Errorf("%d datagrams before anybody has anything to say", n)
		}
		w.talk(a, b, time.Second)
		w.Pass(passive + time.Second)
		quiet := w.Carried()
		if quiet > 6 { // two of the handshake, a keepalive, two packets and an acknowledgement
			w.Errorf("%d datagrams for one packet each way", quiet)
		}
		w.Pass(24 * time.Hour)
		if n := w.Carried() - quiet; n != 0 {
			w.Errorf("%d datagrams in an idle day", n)
		}
		for _, s := range []time.Time{a.of(b).SessionSince, b.of(a).SessionSince} {
			if !s.IsZero() {
				w.Errorf("keys of %v are kept", s)
			}
		}
		w.talk(a, b, time.Second)
	})
}
