package server

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
)

// Workers that charge a tenant at the same instant lose none of it.
func TestATollCountsWhatManyWorkersBring(t *testing.T) {
	const workers, each = 8, 1000
	for name, rate := range map[string]forward.Rate{"bytes": {Bytes: 1000, Burst: time.Second}, "packets": {Packets: 10, Burst: time.Second}} {
		toll := newToll(rate)
		toll.Room(3)
		now := mono.Time(time.Hour)
		var all sync.WaitGroup
		var passed atomic.Int32
		for range workers {
			all.Go(func() {
				for range each {
					if toll.Open(now, 3) {
						passed.Add(1)
					}
					toll.Charge(now, 3, 100)
				}
			})
		}
		all.Wait()
		due := now.Add(workers * each * 100 * time.Millisecond) // for all that was brought
		if toll.Open(due.Add(-1100*time.Millisecond), 3) || !toll.Open(due.Add(-900*time.Millisecond), 3) {
			t.Errorf("%s: something was not charged, or twice", name)
		}
		if n := passed.Load(); n < 10 || n > 11+workers {
			t.Errorf("%s: %d frames passed at once, of eleven that a second bears, and one for each worker", name, n)
		}
		toll.Forget(3)
		if !toll.Open(now, 3) {
			t.Errorf("%s: the next tenant in the slot pays for the one before", name)
		}
	}
	if newToll(forward.Rate{}) != nil {
		t.Error("there is a toll without a rate")
	}
}
