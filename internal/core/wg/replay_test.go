package wg

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func TestEachCounterIsAcceptedOnce(t *testing.T) {
	var w window
	for c := range uint64(3 * Window) {
		if !w.accept(c) {
			t.Fatalf("%d in order is refused", c)
		}
		if w.accept(c) {
			t.Fatalf("%d is accepted twice", c)
		}
	}
}

func TestReorderedCountersAreAcceptedWithinTheWindow(t *testing.T) {
	for _, newest := range []uint64{Window, Window + 1, 10*Window + 31, 1 << 40} {
		var w window
		w.accept(newest)
		for _, back := range []uint64{1, 31, 32, 33, Window / 2, Window - slotBits} {
			if !w.accept(newest - back) {
				t.Errorf("newest %d: %d behind is refused", newest, back)
			}
			if w.accept(newest - back) {
				t.Errorf("newest %d: %d behind is accepted twice", newest, back)
			}
		}
		if back := uint64(Window); w.accept(newest - back) {
			t.Errorf("newest %d: %d behind is accepted although its slot has moved on", newest, back)
		}
	}
}

func TestCountersThatNobodyCanReachAreRefused(t *testing.T) {
	var w window
	if !w.accept(receiveLimit - 1) {
		t.Error("the last counter is refused")
	}
	for _, c := range []uint64{receiveLimit, RekeyAfterMessages, RejectAfterMessages, 1<<64 - 1} {
		if w.accept(c) {
			t.Errorf("%d is accepted", c)
		}
	}
}

// Against a model: whatever the order, no counter is ever accepted twice, and none is refused that is new and near the newest.
func TestTheWindowAgreesWithAModel(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(testRandom(seed))
		var w window
		seen := map[uint64]bool{}
		newest := uint64(0)
		for range 20000 {
			c := newest
			switch rnd.IntN(10) {
			case 0:
				c += rnd.Uint64N(3 * Window)
			case 1, 2, 3:
				c += rnd.Uint64N(4)
			default:
				c -= min(c, rnd.Uint64N(Window+Window/2))
			}
			got := w.accept(c)
			if got && seen[c] {
				t.Fatalf("seed %d: %d is accepted twice", seed, c)
			}
			if !got && !seen[c] && c+Window-slotBits >= newest {
				t.Fatalf("seed %d: %d is new and refused, newest %d", seed, c, newest)
			}
			if got {
				seen[c] = true
				newest = max(newest, c)
			}
		}
	}
}

func TestManyWorkersAcceptEachCounterOnce(t *testing.T) {
	var w window
	const workers, counters = 4, 100_000
	var accepted atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for c := range uint64(counters) {
				if w.accept(c) {
					accepted.Add(1)
				}
			}
		})
	}
	group.Wait()
	// A worker that is left behind by more than a window finds its counters refused, but somebody has accepted them.
	if n := accepted.Load(); n != counters {
		t.Errorf("%d acceptances of %d counters", n, counters)
	}
}
