package esp

import (
	"slices"
	"sync"
	"testing"
)

func TestNoNumberIsSealedTwiceThoughSealingIsLent(t *testing.T) {
	p, _ := twins(t, AES256GCM, true)
	var mu sync.Mutex
	used := map[uint64]bool{}
	use := func(first, n uint64) {
		mu.Lock()
		defer mu.Unlock()
		for seq := first; seq < first+n; seq++ {
			if used[seq] {
				t.Errorf("number %d was used twice", seq)
			}
			used[seq] = true
		}
	}
	var workers sync.WaitGroup
	for n := range 4 {
		workers.Go(func() {
			for range 5000 {
				if first, ok := p.Reserve(noon, n+1); ok {
					use(first, uint64(n+1))
				}
			}
		})
	}
	for range 200 {
		last := p.LendSealing()
		use(last+1, 10) // by others
		p.ReturnSealing(last + 10)
	}
	workers.Wait()
}

func TestStragglersAreSealedWhileSealingIsLent(t *testing.T) {
	a, b := twins(t, AES256GCM, true)
	if last := a.LendSealing(); last != straggling {
		t.Fatal(last)
	}
	if !a.SealingLent() || !a.Usable(noon) {
		t.Error("a pair that is lent is usable")
	}
	for range straggling {
		seq, ok := a.Reserve(noon, 1)
		if !ok {
			t.Fatal("no number is kept for a straggler")
		}
		if _, why := b.Open(noon, sealed(a, seq, sample4(40))); why != Taken {
			t.Fatal(why)
		}
	}
	if seq, ok := a.Reserve(noon, 1); ok {
		t.Errorf("number %d is the other's", seq)
	}
	a.ReturnSealing(5000)
	if seq, ok := a.Reserve(noon, 1); !ok || seq != 5001 {
		t.Error(seq, ok)
	}
}

func TestNoNumberIsAcceptedTwiceThoughOpeningIsLent(t *testing.T) {
	a, b := twins(t, AES256GCM, true)
	open := func(seq uint64, want Drop) {
		t.Helper()
		if _, why := b.Open(noon, sealed(a, seq, sample4(40))); why != want {
			t.Errorf("number %d: %v, want %v", seq, why, want)
		}
	}
	open(5, Taken)
	open(7, Taken)
	if last, missing := b.LendOpening(); last != 7 || !slices.Equal(missing, []uint64{1, 2, 3, 4, 6}) {
		t.Fatal(last, missing)
	}
	open(8, DropLent)
	b.ReturnOpening(1 << 33)
	open(1<<33, DropReplayed)
	open(1<<33-1, DropReplayed) // what the other has not received is lost
	open(1<<33+1, Taken)
	open(1<<33+1, DropReplayed)
	if last, missing := b.LendOpening(); last != 1<<33+1 || len(missing) != 0 {
		t.Error(last, missing)
	}
	b.ReturnOpening(0) // the other received nothing
	open(1<<33+1, DropReplayed)
	open(1<<33+2, Taken)
}

func TestWhatOthersCarryWearsAPair(t *testing.T) {
	a, _ := twins(t, AES256GCM, true, func(k *Keys) { k.Life.Soft.Packets, k.Life.Hard.Packets = 1000, 2000 })
	a.LendSealing()
	a.LendOpening()
	a.Carried(noon, 999, 500, 1, 1)
	if a.stale.Load() || a.exhausted() {
		t.Error("worn too early")
	}
	if a.activity.received.Get() != noon || !a.proven.Load() {
		t.Error("what others receive shows that the peer lives")
	}
	if a.Carried(noon, 1000, 500, 1, 1); !a.stale.Load() {
		t.Error("not worn at the soft end")
	}
	if a.Carried(noon, 2000, 500, 1, 1); !a.exhausted() || a.Usable(noon) {
		t.Error("not used up at the hard end")
	}
}
