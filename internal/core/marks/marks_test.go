package marks

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestASlotAcceptsANumberOnce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var s Slot
	newest, seen := uint64(0), map[uint64]bool{}
	for range 10_000 {
		lap, bit := newest+rnd.Uint64N(3), uint(rnd.IntN(Bits))
		if lap > 0 && rnd.IntN(4) == 0 {
			lap--
		}
		want := lap >= newest && !seen[lap*Bits+uint64(bit)]
		if fresh := s.Fresh(lap, bit); fresh != want {
			t.Fatalf("lap %d, bit %d: fresh %v", lap, bit, fresh)
		}
		if got := s.Accept(lap, bit); got != want {
			t.Fatalf("lap %d, bit %d: accepted %v", lap, bit, got)
		}
		newest, seen[lap*Bits+uint64(bit)] = max(newest, lap), true
	}
}

func TestOfManyWorkersOneIsBelieved(t *testing.T) {
	var s Slot
	var accepted atomic.Int64
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for bit := range uint(Bits) {
				if s.Accept(1, bit) {
					accepted.Add(1)
				}
			}
		})
	}
	if workers.Wait(); accepted.Load() != Bits {
		t.Errorf("%d of %d numbers were accepted", accepted.Load(), Bits)
	}
}

func TestAMarkIsWhatWasSetLast(t *testing.T) {
	var m Mark[mono.Time]
	for _, at := range []mono.Time{0, 5, 5, -1, mono.Never} {
		if m.Set(at); m.Get() != at {
			t.Errorf("%d became %d", at, m.Get())
		}
	}
}
