package osnet

import (
	"context"
	"time"
)

const (
	// sleepLeast is the shortest sleep that is told. Who is away for less is not forgotten by anybody.
	sleepLeast = 5 * time.Second
	// sleepCheck is how often the clocks are compared where nothing else tells that the machine has woken.
	sleepCheck = 5 * time.Second
)

// bell rings when the machine may have slept.
type bell interface {
	// wait waits for it, until close.
	wait() error
	close() error
	// slept is how much longer than it seemed it was since the last call, as far as clocks tell.
	slept() time.Duration
}

// tellSleeps tells, on the channel that it returns, for how long the machine slept, each time after it has. The channel holds one telling; sleeps
// that nobody has heard of yet add up. It is closed when ctx is done, and the bell with it.
func tellSleeps(ctx context.Context, b bell) <-chan time.Duration {
	told := make(chan time.Duration, 1)
	go func() {
		defer close(told)
		stop := context.AfterFunc(ctx, func() { b.close() })
		defer stop()
		for ctx.Err() == nil {
			if b.wait() != nil {
				pause(ctx, sleepCheck) // whatever is wrong, the clocks still tell
			}
			if d := b.slept(); d >= sleepLeast && ctx.Err() == nil {
				addUp(told, d)
			}
		}
	}()
	return told
}

// addUp leaves a telling, together with one that waits. Nobody else leaves any.
func addUp(told chan time.Duration, d time.Duration) {
	select {
	case before := <-told:
		d += before
	default:
	}
	told <- d
}

// drift is how far two times have moved apart.
type drift struct{ last time.Duration }

// grown is by how much more one time is ahead of another than at the last call.
func (d *drift) grown(ahead time.Duration) time.Duration {
	by := ahead - d.last
	d.last = ahead
	return by
}

// ticking is a bell for every system: it rings all the time, and tells that it should have rung earlier. Timers stand still while the machine
// sleeps, and one of the two clocks goes on, or has been set when the machine woke: which, differs.
type ticking struct {
	every *time.Ticker
	ended chan struct{}
	now   func() time.Time
	last  time.Time
}

func newTicking(now func() time.Time) *ticking {
	return &ticking{time.NewTicker(sleepCheck), make(chan struct{}), now, now()}
}

func (t *ticking) wait() error {
	select {
	case <-t.every.C:
	case <-t.ended:
	}
	return nil
}

func (t *ticking) close() error {
	t.every.Stop()
	close(t.ended)
	return nil
}

func (t *ticking) slept() time.Duration {
	now := t.now()
	took := max(now.Sub(t.last), now.Round(0).Sub(t.last.Round(0))) // by the monotonic clock, and by that of the day
	t.last = now
	return took - sleepCheck
}
