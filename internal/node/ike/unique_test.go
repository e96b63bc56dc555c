package ike_test

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// asks has an end's desk do something.
func (e *end) asks(f func(mono.Time, ipsec.Desk, func(key.WGPublic) *tunnel.Peer, *tunnel.Out) error) {
	e.w.Helper()
	e.Consult(tunnel.IKE, func(now mono.Time, tr tunnel.Transport, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) {
		d, err := ipsec.DeskOf(tr)
		if err == nil {
			err = f(now, d, find, out)
		}
		if err != nil {
			e.w.Error(e.N, err)
		}
	})
}

// wantOneSA checks that there is one IKE SA, and one pair that does not end.
func (e *end) wantOneSA() {
	e.w.Helper()
	e.asks(func(_ mono.Time, d ipsec.Desk, _ func(key.WGPublic) *tunnel.Peer, _ *tunnel.Out) error {
		for _, s := range d.SAs() {
			live := 0
			for _, pair := range s.ESP {
				if !pair.Ending {
					live++
				}
			}
			if len(s.IKE) != 1 || live != 1 {
				e.w.Errorf("%d has %d IKE SAs and %d pairs with %v", e.N, len(s.IKE), live, s.Peer)
			}
		}
		return nil
	})
}

// restarts ends an end and begins it again, without what it had with the other.
func (e *end) restarts(other *end) {
	e.Close()
	e.boot()
	e.Knows(other.End)
}

func TestWhoRestartsLeavesNothingBehind(t *testing.T) {
	for _, first := range []string{"who has restarted", "the other"} {
		inWorld(t, nil, func(w *world) {
			w.a.Says(w.b.End, 0, 1)
			w.Pass(time.Second)
			w.b.WantHeard(0, 1)
			w.b.restarts(w.a)
			if first == "the other" {
				for range 60 { // into the void, until the silence is noticed
					w.a.Says(w.b.End, 0, 1)
					w.Pass(time.Second)
				}
				w.b.Heard()
			}
			w.b.Says(w.a.End, 7, 1)
			w.Pass(time.Second)
			w.a.WantHeard(7, 1)
			w.a.wantOneSA()
			w.b.wantOneSA()
		})
	}
}

// wakes has an end wish for a pair with another, as packets do that find none, or no way.
func (e *end) wakes(other *end) {
	e.w.Helper()
	e.Consult(tunnel.IKE, func(now mono.Time, tr tunnel.Transport, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) {
		tr.Wake(now, find(other.Name()), out)
	})
}

// A wish that comes when it has been fulfilled makes no second pair, on whatever side and however often.
func TestAFulfilledWishMakesNothing(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		for range 20 {
			w.Pass(rtt / 2)
			w.a.wakes(w.b)
			w.b.wakes(w.a)
		}
		w.Pass(time.Minute)
		w.a.wakes(w.b)
		w.b.wakes(w.a)
		w.Pass(time.Minute)
		w.b.WantHeard(0, 1)
		w.a.wantOneSA()
		w.b.wantOneSA()
	})
}

// A peer may forget what we have with it while there is no way between us. The first packet that had to wait for one finds out.
func TestAPeerThatForgotMeanwhileIsFoundAtOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Minute)
		w.b.WantHeard(0, 1)
		w.b.restarts(w.a)
		w.a.wakes(w.b)
		w.Pass(time.Second)
		w.a.Says(w.b.End, 1, 1)
		w.Pass(time.Second)
		w.b.WantHeard(1, 1)
		w.a.wantOneSA()
		w.b.wantOneSA()
	})
}

// Both talk while every minute all is proved anew. No packet is lost, or waits for long.
func TestProofsAreRenewedUnderTraffic(t *testing.T) {
	inWorld(t, func(e *end) { e.config.IKE.Reauthenticate = time.Minute }, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		since := time.Time{}
		for i := range 3000 {
			w.a.Says(w.b.End, i, 1)
			w.b.Says(w.a.End, i, 1)
			w.Pass(100 * time.Millisecond)
			w.b.WantHeard(i, 1)
			w.a.WantHeard(i, 1)
			if s := w.a.Of(w.b.End).SessionSince; i%600 == 599 {
				if s.Equal(since) {
					t.Error("nothing is proved anew")
				}
				since = s
			}
		}
		w.Pass(10 * time.Second)
		for _, e := range []*end{w.a, w.b} {
			e.WantDrops(nil)
			e.wantOneSA()
		}
	})
}

// A peer of another kind ends its session and begins another, and we call it meanwhile because packets wait. It would keep both; one stays.
func TestAPeerThatBreaksBeforeItMakesIsLeftWithOne(t *testing.T) {
	for wait := time.Duration(0); wait < 4*rtt; wait += rtt / 4 {
		inWorld(t, func(e *end) { e.plural = e.N == 2 }, func(w *world) {
			w.b.Says(w.a.End, 0, 1)
			w.Pass(time.Second)
			w.a.WantHeard(0, 1)
			w.b.asks(func(now mono.Time, d ipsec.Desk, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) error {
				return d.Terminate(now, find(w.a.Name()), out)
			})
			w.b.Says(w.a.End, 1, 1)
			time.Sleep(wait)
			w.a.Says(w.b.End, 1, 1)
			w.Pass(10 * time.Second)
			w.a.Heard()
			w.b.Heard()
			w.a.wantOneSA()
			w.b.wantOneSA()
			w.a.Says(w.b.End, 2, 5)
			w.b.Says(w.a.End, 2, 5)
			w.Pass(time.Second)
			w.a.WantHeard(2, 5)
			w.b.WantHeard(2, 5)
		})
	}
}
