package quantum

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/proto/disco"
)

// Whatever is lost, delayed, doubled or recorded and sent again, and whoever restarts: once that has ended, and the tunnel has reported
// what does not work, both have the same key.
func TestChaosEndsInAgreement(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		w := newWorld(t, seed)
		w.loss, w.spread = w.rnd.Float64()*0.6, time.Duration(w.rnd.Int64N(int64(800*time.Millisecond)))
		restarts, replays := w.rnd.IntN(2) == 0, w.rnd.IntN(2) == 0
		for range 40 {
			switch i := w.rnd.IntN(2); w.rnd.IntN(8) {
			case 0, 1, 2:
				w.want(i)
			case 3:
				w.mismatch(i)
			case 4:
				if restarts {
					w.boot(i)
				}
			case 5:
				if replays && len(w.past) > 0 {
					for range 4 {
						w.again(w.past[w.rnd.IntN(len(w.past))])
					}
				}
			case 6:
				w.run(RekeyAfter)
			default:
				w.run(time.Duration(w.rnd.Int64N(int64(2 * time.Second))))
			}
		}
		w.loss = 0
		w.run(time.Minute)
		w.tunnel()
		w.run(time.Minute)
		w.tunnel()
		w.run(time.Minute)
		if w.agree(); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// tunnel does what a tunnel does: both sides wish for a handshake, and tell when it fails.
func (w *world) tunnel() {
	for i := range w.side {
		if w.want(i) && !w.opens(i) {
			w.mismatch(i)
			w.mismatch(1 - i)
		}
	}
}

// Without restarts and recordings a pair that has a key can always make a handshake, in either direction: neither loss nor the wishes of
// both sides, at whatever moment, may leave them without a common key.
func TestLossNeverLeavesAPairWithoutACommonKey(t *testing.T) {
	for seed := range uint64(100) {
		w := newWorld(t, seed)
		w.want(0)
		w.run(time.Minute)
		w.agree()
		w.loss, w.spread = 0.4, 300*time.Millisecond
		for range 10 {
			w.run(RekeyAfter)
			side := w.rnd.IntN(2)
			w.want(side)
			if w.rnd.IntN(4) == 0 {
				w.run(time.Duration(w.rnd.Int64N(int64(time.Second))), func() { w.both(seed) })
				w.want(1 - side)
			}
			w.run(5*time.Minute, func() { w.both(seed) })
		}
	}
}

func (w *world) both(seed uint64) {
	w.t.Helper()
	for i := range w.side {
		if !w.opens(i) {
			w.t.Fatalf("seed %d: a handshake of side %d does not work at %v", seed, i, time.Duration(w.now))
		}
	}
}

// Someone in the middle, a relay for example, who cannot seal but can do everything else, gains nothing but delay: no two keys that are
// in use at once differ when it has gone, and a replayed offer is answered a bounded number of times.
func TestARecordedOfferIsAnsweredAtAPace(t *testing.T) {
	w := newWorld(t, 1)
	for range 50 {
		w.boot(0) // each gives the enemy another offer
		w.want(0)
		w.run(3 * time.Second)
	}
	w.run(time.Hour)
	w.agree()
	kept := w.side[1].keys.Current
	before := w.side[1].sent[stepAnswer]
	for _, a := range w.past {
		if a.to == 1 && a.msg.Step == stepOffer {
			w.again(a)
		}
	}
	w.pass = func(int, *disco.Message) bool { return false }
	w.run(time.Second)
	if got := (w.side[1].sent[stepAnswer] - before) / 2; got > 2*paceBurst {
		t.Errorf("%d of 50 recorded offers were answered within a second", got)
	}
	if w.side[1].keys.Current != kept {
		t.Error("a recording has changed the key in use")
	}
	w.pass = nil
	w.tunnel()
	w.run(time.Minute)
	w.agree()
}
