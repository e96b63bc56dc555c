package ike_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Stories of people, or their scripts, who do for ever what they may do once.

// rekeys is cvlan ipsec rekey.
func (e *end) rekeys(other *end) {
	e.asks(func(now mono.Time, d ipsec.Desk, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) error {
		_ = d.Rekey(now, find(other.Name()), out) // there may be nothing, or enough under way
		return nil
	})
}

// hangsUp is cvlan ipsec terminate.
func (e *end) hangsUp(other *end) {
	e.asks(func(now mono.Time, d ipsec.Desk, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) error {
		_ = d.Terminate(now, find(other.Name()), out) // there may be nothing
		return nil
	})
}

// bounded checks how much there is of anything.
func (e *end) bounded() {
	e.w.Helper()
	e.asks(func(_ mono.Time, d ipsec.Desk, _ func(key.WGPublic) *tunnel.Peer, _ *tunnel.Out) error {
		for _, s := range d.SAs() {
			if len(s.IKE) > 3 || len(s.ESP) > esp.MaxPairs {
				e.w.Errorf("%d has %d IKE SAs and %d pairs", e.N, len(s.IKE), len(s.ESP))
			}
			for _, i := range s.IKE {
				if i.Pending > 128 {
					e.w.Errorf("%d has %d wishes that wait", e.N, i.Pending)
				}
			}
		}
		return nil
	})
}

// Both ask for new keys again and again, at once or one after the other, while they talk. Not one packet is lost, nothing piles up, and when it is
// quiet there is one SA of each kind.
func TestBothAskForNewKeysForEverUnderTraffic(t *testing.T) {
	for name, pause := range map[string]time.Duration{"without a pause": 0, "at once": rtt / 2, "often": 200 * time.Millisecond, "every other second": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				rnd := rand.New(rand.NewPCG(1, uint64(pause)))
				w.a.Says(w.b.End, 0, 1)
				w.b.Says(w.a.End, 0, 1)
				w.Pass(time.Second)
				w.a.Heard()
				w.b.Heard()
				for i := range 500 {
					if who := rnd.IntN(3); who != 0 {
						w.a.rekeys(w.b)
					} else if who != 1 {
						w.b.rekeys(w.a)
					}
					w.a.Says(w.b.End, i, 1)
					w.b.Says(w.a.End, i, 1)
					w.Pass(rtt + time.Duration(rnd.Int64N(int64(pause)+1)))
					w.b.WantHeard(i, 1)
					w.a.WantHeard(i, 1)
					w.a.bounded()
					w.b.bounded()
				}
				w.Pass(30 * time.Second)
				for _, e := range []*end{w.a, w.b} {
					e.WantDrops(nil)
					e.wantOneSA()
				}
			})
		})
	}
}

// Both hang up again and again while they talk. What is lost is what is on its way meanwhile; nothing piles up, and whenever they are left in peace
// packets pass within a moment.
func TestBothHangUpForEverUnderTraffic(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		rnd := rand.New(rand.NewPCG(2, 0))
		for round := range 100 {
			for range rnd.IntN(10) {
				if rnd.IntN(2) == 0 {
					w.a.hangsUp(w.b)
				} else {
					w.b.hangsUp(w.a)
				}
				w.a.Says(w.b.End, 0, 1)
				w.b.Says(w.a.End, 0, 1)
				w.Pass(time.Duration(rnd.Int64N(int64(4 * rtt))))
				w.a.bounded()
				w.b.bounded()
			}
			w.Pass(time.Second)
			w.a.Heard()
			w.b.Heard()
			w.a.Says(w.b.End, round, 1)
			w.b.Says(w.a.End, round, 1)
			w.Pass(time.Second)
			w.b.WantHeard(round, 1)
			w.a.WantHeard(round, 1)
		}
		w.Pass(30 * time.Second)
		w.a.wantOneSA()
		w.b.wantOneSA()
	})
}
