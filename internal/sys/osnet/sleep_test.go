package osnet

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// rung is a bell that a test rings.
type rung struct {
	rings chan time.Duration // and what the clocks then say
	says  time.Duration
	err   error
	ended chan struct{}
}

func (r *rung) wait() error {
	select {
	case r.says = <-r.rings:
	case <-r.ended:
	}
	return r.err
}

func (r *rung) close() error         { close(r.ended); return nil }
func (r *rung) slept() time.Duration { return r.says }

func TestSleepsAreToldAndAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &rung{rings: make(chan time.Duration), ended: make(chan struct{})}
		told := tellSleeps(ctx, b)
		for _, d := range []time.Duration{time.Hour, sleepLeast - 1, time.Minute, 0} {
			b.rings <- d
		}
		synctest.Wait()
		if d := <-told; d != time.Hour+time.Minute {
			t.Errorf("slept %v", d)
		}
		b.rings <- sleepLeast
		if d := <-told; d != sleepLeast {
			t.Errorf("slept %v", d)
		}
		cancel()
		if d, open := <-told; open {
			t.Errorf("slept %v", d)
		}
	})
}

func TestBrokenBellDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &rung{rings: make(chan time.Duration), ended: make(chan struct{}), err: errors.New("no such clock")}
		close(b.rings)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for range tellSleeps(ctx, b) {
			t.Error("told of a sleep")
		}
	})
}

// Whichever clock goes on while the machine sleeps, a bell that rings too late tells.
func TestLateTickIsASleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Int64 // nanoseconds while asleep, by the clock of the day
		b := newTicking(func() time.Time { return time.Now().Round(0).Add(time.Duration(gone.Load())) })
		ctx, cancel := context.WithCancel(t.Context())
		told := tellSleeps(ctx, b)
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case d := <-told:
			t.Fatalf("slept %v", d)
		default:
		}
		gone.Store(int64(8 * time.Hour))
		if d := <-told; d != 8*time.Hour {
			t.Errorf("slept %v", d)
		}
		gone.Store(0) // the clock is put right
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case d := <-told:
			t.Errorf("slept %v", d)
		default:
		}
		cancel()
		<-told
	})
}

func TestBellOfTheSystemEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	told := New(Options{}).Sleeps(ctx)
	cancel()
	if d, open := <-told; open {
		t.Errorf("slept %v", d)
	}
}
