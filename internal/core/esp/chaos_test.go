package esp

import (
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// check fails if a machine's own view and what it has told differ, or a bound is broken.
func (w *world) check(n int) {
	w.Helper()
	s, sealing := w.side[n], 0
	all := s.m.Status(names[n])
	for _, st := range all {
		if s.pairs[st.Local()] != st.Pair {
			w.Fatalf("side %d: %v was never told", n, st.Local())
		}
		if st.Sealing {
			if sealing++; s.sealer != st.Pair {
				w.Fatalf("side %d: %v seals, and nobody knows", n, st.Local())
			}
		}
		if st.Sealing && st.Waiting || st.Sealing && st.Ending || !st.Ends.IsNever() && st.Ends < w.now-mono.Time(time.Second) {
			w.Fatalf("side %d: %+v at %v", n, st, w.now)
		}
	}
	if len(all) != len(s.pairs) || sealing > 1 || len(all) > MaxPairs || len(s.m.spis) != len(all)+s.m.reserved {
		w.Fatalf("side %d: %d pairs, told of %d, %d seal, %d SPIs", n, len(all), len(s.pairs), sealing, len(s.m.spis))
	}
	for number, times := range s.taken {
		if times > 1 {
			w.Fatalf("side %d: packet %d arrives %d times", n, number, times)
		}
	}
}

// Anything happens at any time, on links that lose, repeat and reorder. What must hold, holds, and when all is quiet nothing is left.
func TestAnythingMayHappen(t *testing.T) {
	runs := uint64(300)
	if testing.Short() {
		runs = 20
	}
	for seed := range runs {
		w := newWorld(t, seed)
		w.loss, w.twice, w.jitter = w.rnd.Float64()/3, w.rnd.Float64()/3, time.Duration(w.rnd.IntN(200))*time.Millisecond
		number := 0
		for range 150 {
			n := w.rnd.IntN(2)
			s := w.side[n]
			switch w.rnd.IntN(10) {
			case 0:
				if len(s.pairs) < MaxPairs-1 && len(w.side[1-n].pairs) < MaxPairs-1 {
					w.agree(n, func(k *Keys) {
						k.Life = Life{Limit{Time: time.Minute, Packets: 50}, Limit{Time: time.Minute * 3 / 2, Packets: 80}}
						k.ESN = w.rnd.IntN(2) == 0
						k.Suite = suites[w.rnd.IntN(len(suites))]
					})
				}
			case 1:
				for _, st := range s.m.Status(names[n]) {
					if w.rnd.IntN(2) == 0 {
						s.m.Delete(w.now, st.Local(), &s.out)
						w.act(n)
					}
				}
			case 2:
				if w.rnd.IntN(8) == 0 {
					s.m.Remove(names[n], &s.out)
					w.act(n)
				}
			case 3:
				s.m.Release(w.spi(n))
			case 4:
				w.pass(time.Duration(w.rnd.IntN(60)) * time.Second)
			default:
				for range w.rnd.IntN(20) {
					w.says(n, number)
					number++
				}
				w.pass(time.Duration(w.rnd.IntN(100)) * time.Millisecond)
			}
			w.check(0)
			w.check(1)
		}
		w.pass(3 * time.Minute)
		for n, s := range w.side {
			if w.check(n); len(s.pairs) != 0 || s.sealer != nil || s.dropped[DropForged] != 0 || s.dropped[DropMalformed] != 0 {
				t.Fatalf("seed %d: at last %d pairs; drops %v", seed, len(s.pairs), s.dropped)
			}
		}
	}
}

// Workers seal and open while the owner looks, deletes and makes anew.
func TestWorkersDoNotWaitForTheOwner(t *testing.T) {
	// The window is wider than all there is: no receiver is too late.
	a, b := twins(t, AES256GCM, true, func(k *Keys) { k.Window = MostWindow })
	other, _ := twins(t, AES256CBC, true)
	const workers, each = 4, 2000
	datagrams := make(chan []byte, 64)
	var senders, receivers sync.WaitGroup
	for range workers {
		senders.Go(func() {
			for range each {
				seq, ok := a.Reserve(noon, 1)
				if !ok {
					t.Error("refused")
					return
				}
				datagrams <- sealed(a, seq, sample4(60))
				a.Sent(noon)
				sealed(other, seq, sample4(60))
			}
		})
		receivers.Go(func() {
			for d := range datagrams {
				if _, why := b.Open(noon, d); why != Taken {
					t.Error(why)
				}
				b.Received(noon, 1)
			}
		})
	}
	senders.Wait()
	close(datagrams)
	receivers.Wait()
	if b.top.Load() != workers*each {
		t.Errorf("the last number is %d", b.top.Load())
	}
}
