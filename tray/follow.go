package tray

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// Daemon is what the tray wants of the daemon; *local.Client is one.
type Daemon interface {
	Status(context.Context) (local.Status, error)
	Watch(context.Context) iter.Seq2[local.Status, error]
	Up(context.Context, local.UpRequest) (local.Networks, error)
	Down(context.Context, local.DownRequest) (local.Networks, error)
	Set(context.Context, local.SetRequest) (local.Settings, error)
}

const (
	// again is how soon a daemon that has gone is looked for.
	again = 2 * time.Second
	// ask is how often the state is asked for while other programs of this user have all watches.
	ask = 5 * time.Second
	// Reading a state of 10,000 peers costs tens of milliseconds: between two of them the follower rests for this many times as long
	// as one took to come, at most restMost, which is within what the daemon waits for a reader.
	restShare = 20
	restMost  = 5 * time.Second
)

// follow brings news until ctx ends. A receiver that is slow makes it wait; states that it then misses are in the next one.
func follow(ctx context.Context, d Daemon, out chan<- news) {
	for ctx.Err() == nil {
		err := watch(ctx, d, out)
		wait := again
		var refused *local.Error
		if errors.As(err, &refused) {
			if refused.Code == local.CodeBusy || refused.Code == local.CodeNotFound { // too many watches, or a daemon that has none
				var s local.Status
				s, err = d.Status(ctx)
				tell(ctx, out, news{s, err})
			} else {
				tell(ctx, out, news{err: err})
			}
			wait = ask
		} else if err != nil {
			tell(ctx, out, news{err: err})
		}
		pause(ctx, wait)
	}
}

// watch brings what the daemon's stream tells until it ends, and returns why it did.
func watch(ctx context.Context, d Daemon, out chan<- news) error {
	for s, err := range d.Watch(ctx) {
		if err != nil {
			return err
		}
		began := time.Now()
		if !tell(ctx, out, news{status: s}) {
			return ctx.Err()
		}
		pause(ctx, min(restShare*(time.Since(began)+weigh(&s)), restMost))
	}
	return nil
}

// perPeer is about what one peer costs to decode and to show.
const perPeer = 10 * time.Microsecond

func weigh(s *local.Status) (cost time.Duration) {
	for i := range s.Networks {
		cost += time.Duration(len(s.Networks[i].Peers)) * perPeer
	}
	return cost
}

func tell(ctx context.Context, out chan<- news, n news) bool {
	select {
	case out <- n:
		return true
	case <-ctx.Done():
		return false
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
