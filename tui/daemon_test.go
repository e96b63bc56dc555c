package tui

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// slow is a daemon whose answers take their time, and whose watch may be refused.
type slow struct {
	twin
	takes time.Duration
	asked atomic.Int32
	watch func(context.Context) iter.Seq2[local.Status, error]
	down  atomic.Bool
}

func (d *slow) Status(ctx context.Context) (local.Status, error) {
	d.asked.Add(1)
	pause(ctx, d.takes)
	if d.down.Load() {
		return local.Status{}, errDown
	}
	return office(), nil
}

func (d *slow) Watch(ctx context.Context) iter.Seq2[local.Status, error] { return d.watch(ctx) }

func silent(ctx context.Context) iter.Seq2[local.Status, error] {
	return func(yield func(local.Status, error) bool) {
		<-ctx.Done()
		yield(local.Status{}, ctx.Err())
	}
}

// follows runs a follower for some time and returns what it told.
func follows(t *testing.T, d *slow, span time.Duration, during func()) (told []news) {
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan news)
	f := &follower{daemon: d, now: time.Now, out: out, broken: make(chan struct{}, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		f.follow(ctx)
	}()
	if during != nil {
		go during()
	}
	for end := time.After(span); ; {
		select {
		case n := <-out:
			told = append(told, n)
			continue
		case <-end:
		}
		cancel()
		<-gone
		return told
	}
}

func TestCountersAreAskedAsOftenAsTheyAreCheap(t *testing.T) {
	for _, c := range []struct {
		takes       time.Duration
		least, most int32
	}{{0, 99, 101}, {5 * time.Millisecond, 49, 51}, {time.Second, 2, 2}} {
		synctest.Test(t, func(t *testing.T) {
			d := &slow{takes: c.takes, watch: silent}
			follows(t, d, 100*time.Second, nil)
			if n := d.asked.Load(); n < c.least || n > c.most {
				t.Errorf("when an answer takes %v it is asked %d times in 100 s", c.takes, n)
			}
		})
	}
}

func TestADaemonThatGoesIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{watch: silent}
		told := follows(t, d, 20*time.Second, func() {
			time.Sleep(5500 * time.Millisecond)
			d.down.Store(true)
			time.Sleep(5 * time.Second)
			d.down.Store(false)
		})
		var faults int
		for _, n := range told {
			if n.err != nil {
				faults++
			}
		}
		if faults < 4 || faults > 6 || told[len(told)-1].err != nil {
			t.Errorf("%d of %d news are faults, the last is %v", faults, len(told), told[len(told)-1].err)
		}
	})
}

func TestAWatchThatIsRefusedLeavesAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watches := 0
		d := &slow{watch: func(context.Context) iter.Seq2[local.Status, error] {
			watches++
			return func(yield func(local.Status, error) bool) {
				yield(local.Status{}, local.CodeBusy.Problem("watch", "too many", ""))
			}
		}}
		told := follows(t, d, time.Minute, nil)
		if len(told) < 59 || watches > 5 {
			t.Errorf("%d news, and %d attempts to watch", len(told), watches)
		}
		for _, n := range told {
			if n.err != nil {
				t.Errorf("told %v", n.err)
			}
		}
	})
}

func TestAChangeIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{watch: func(ctx context.Context) iter.Seq2[local.Status, error] {
			return func(yield func(local.Status, error) bool) {
				for range 3 {
					pause(ctx, 300*time.Millisecond)
					if !yield(office(), nil) {
						return
					}
				}
				yield(local.Status{}, errors.New("it ended"))
			}
		}}
		changes := 0
		for _, n := range follows(t, d, 950*time.Millisecond, nil) {
			if !n.count {
				changes++
			}
		}
		if changes != 3 {
			t.Errorf("%d of 3 changes were told", changes)
		}
	})
}

func TestADaemonThatDiesIsMissedAtOnceThoughItsAnswersAreDear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{takes: 50 * time.Millisecond} // which is asked each 20 s
		d.watch = func(ctx context.Context) iter.Seq2[local.Status, error] {
			return func(yield func(local.Status, error) bool) {
				if d.down.Load() || !yield(office(), nil) {
					return
				}
				pause(ctx, 3*time.Second)
				d.down.Store(true)
				yield(local.Status{}, errors.New("connection reset"))
			}
		}
		var missed time.Duration
		began := time.Now()
		for _, n := range follows(t, d, 10*time.Second, nil) {
			if n.err != nil && missed == 0 {
				missed = n.at.Sub(began)
			}
		}
		if missed < 3*time.Second || missed > 5*time.Second {
			t.Errorf("missed after %v", missed)
		}
	})
}
