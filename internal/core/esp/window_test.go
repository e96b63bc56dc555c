package esp

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// model is a replay window as RFC 4303 describes it, with a set.
type model struct {
	top, size uint64
	seen      map[uint64]bool
}

func (m *model) accept(seq uint64) bool {
	if seq == 0 || seq+m.size <= m.top || m.seen[seq] {
		return false
	}
	m.seen[seq], m.top = true, max(m.top, seq)
	return true
}

// Walks that go back, repeat, and jump within and beyond the window: the window says what the model says.
func TestWindowIsTheModel(t *testing.T) {
	for _, size := range []int{LeastWindow, 1025, 2048, MostWindow} {
		for seed := range uint64(20) {
			r := rand.New(rand.NewPCG(seed, uint64(size)))
			w, m := newWindow(size), &model{seen: map[uint64]bool{}}
			m.size = w.size()
			for range 20_000 {
				seq := uint64(max(0, int64(m.top)+int64(r.NormFloat64()*float64(size)/2)))
				if r.IntN(500) == 0 {
					seq = m.top + r.Uint64N(1<<34)
				}
				fresh := w.fresh(seq)
				got, want := w.accept(seq), m.accept(seq)
				if got != want || fresh != want {
					t.Fatalf("size %d, seed %d: %d behind %d: fresh %v, accepted %v, want %v", size, seed, seq, m.top, fresh, got, want)
				}
			}
		}
	}
}

// Of a number that lies within the window or up to 2^32 less the window above it, the lower half says all.
func TestLowerHalfTellsTheNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		w := newWindow(LeastWindow)
		top := r.Uint64N(1 << 40)
		switch r.IntN(4) {
		case 0:
			top = r.Uint64N(3 * LeastWindow)
		case 1:
			top = (1+r.Uint64N(100))<<32 + r.Uint64N(4*LeastWindow) - 2*LeastWindow // beside a turn of the lower half
		}
		w.top.Store(top)
		bottom := w.bottom(top)
		seq := bottom + r.Uint64N(1<<32)
		if r.IntN(2) == 0 {
			seq = bottom + r.Uint64N(2*LeastWindow)
		}
		if got := w.whole(uint32(seq)); got != seq {
			t.Fatalf("top %#x: of %#x comes back %#x", top, seq, got)
		}
	}
}

func TestWindowIsAtLeastAsAsked(t *testing.T) {
	for size := 1; size <= MostWindow; size++ {
		if w := newWindow(size); w.size() < uint64(size) || len(w.ring) > 256 {
			t.Fatalf("asked for %d: %d in %d slots", size, w.size(), len(w.ring))
		}
	}
}

func TestWindowEndsBeforeLapsDo(t *testing.T) {
	w := newWindow(LeastWindow)
	if !w.accept(w.limit()-1) || w.accept(w.limit()) || w.fresh(w.limit()) || w.accept(w.limit()-1) || !w.accept(w.limit()-2) {
		t.Error("at its end the window is wrong")
	}
}

// Any number of workers may accept at once, and each number is accepted once.
func TestWorkersAcceptEachNumberOnce(t *testing.T) {
	const workers, n = 4, 50_000
	w := newWindow(MostWindow)
	var accepted [n + 1]atomic.Int32
	var all sync.WaitGroup
	for seed := range uint64(workers) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for at := uint64(1); at <= n; at++ {
				for _, seq := range []uint64{at, min(n, at+r.Uint64N(100)), at - r.Uint64N(at)} {
					if w.accept(seq) {
						accepted[seq].Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	for seq := range accepted {
		if n := accepted[seq].Load(); n > 1 {
			t.Fatalf("number %d was accepted %d times", seq, n)
		}
	}
}

// The network reorders over the turn of the lower half of extended numbers.
// What is new when each of them looks at it, is opened by one of them.
func TestWorkersOpenEachPacketOnce(t *testing.T) {
	a, b := twins(t, AES128CBC, true) // a slow one: they are more often at it together
	for seq := range uint64(2000) {
		msg := sealed(a, seq+1, sample4(1400))
		var opened atomic.Int32
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, why := b.Open(noon, bytes.Clone(msg)); why == Taken {
					opened.Add(1)
				}
			})
		}
		all.Wait()
		if n := opened.Load(); n != 1 {
			t.Fatalf("number %d is taken %d times", seq+1, n)
		}
	}
}

func TestExtendedNumbersTurnOver(t *testing.T) {
	a, b := twins(t, AES256GCM, true)
	const before = 1<<32 - 500
	a.next.Store(before)
	if _, why := b.Open(noon, sealed(a, before-1, nil)); why != Taken {
		t.Fatal(why) // a jump of almost 2^32 ahead
	}
	var order []uint64
	for i := range uint64(1000) {
		order = append(order, before+i)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range order { // each at most a hundred places away
		j := min(len(order)-1, i+r.IntN(100))
		order[i], order[j] = order[j], order[i]
	}
	for _, seq := range order {
		if _, why := b.Open(noon, sealed(a, seq, sample4(40))); why != Taken {
			t.Fatalf("number %#x: %v", seq, why)
		}
	}
	for _, seq := range order {
		if _, why := b.Open(noon, sealed(a, seq, sample4(40))); why != DropReplayed {
			t.Fatalf("number %#x again: %v", seq, why)
		}
	}
}

// A forged packet with a far number moves nothing.
func TestForgeriesDoNotMoveTheWindow(t *testing.T) {
	a, b := twins(t, AES256GCM, true)
	for i := range uint64(100) {
		bad := sealed(a, 1<<33+1+i, sample4(40))
		bad[20] ^= 1
		if _, why := b.Open(noon, bad); why != DropForged {
			t.Fatal(why)
		}
	}
	if _, why := b.Open(noon, sealed(a, 1, sample4(40))); why != Taken {
		t.Error(why)
	}
}

func TestPacketsThatAreTooOldAreReplays(t *testing.T) {
	for _, esn := range []bool{false, true} {
		a, b := twins(t, AES256GCM, esn)
		old := sealed(a, 3, sample4(40))
		if _, why := b.Open(noon, sealed(a, 100_000, sample4(40))); why != Taken {
			t.Fatal(why)
		}
		if _, why := b.Open(noon, old); why != DropReplayed {
			t.Errorf("extended: %v: %v", esn, why)
		}
	}
}
