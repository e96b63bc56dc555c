package tui

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// Daemon is what the interface wants of the daemon; *local.Client is one.
type Daemon interface {
	Status(context.Context) (local.Status, error)
	Watch(context.Context) iter.Seq2[local.Status, error]
	Path(context.Context, local.PathRequest) (local.PeerPath, error)
	Reach(context.Context, local.PathRequest) (local.Reach, error)
	Certificates(context.Context) (local.Certificates, error)
	IPsec(context.Context) (local.IPsec, error)
	Ping(context.Context, local.PingRequest) (local.Pong, error)
	PolicyLog(context.Context, local.PolicyLogRequest) (local.PolicyLog, error)
	Up(context.Context, local.UpRequest) (local.Networks, error)
	Down(context.Context, local.DownRequest) (local.Networks, error)
	Set(context.Context, local.SetRequest) (local.Settings, error)
	DNS(context.Context) (local.DNS, error)
}

// How often the daemon is asked. A watch tells changes at once but not counters, which are asked for: each second, or, in networks so
// large that an answer takes longer than 2.5 ms, as often as keeps it at a four-hundredth of a core.
const (
	pollEvery   = time.Second
	pollSeldom  = time.Minute
	pollShare   = 400 // of the time that an answer takes
	watchShare  = 20  // likewise, between two events of a watch
	watchMost   = 5 * time.Second
	retry       = time.Second
	retryRefuse = 15 * time.Second // another program of this user has the watch
)

// news is a state of the daemon, or why there is none.
type news struct {
	status local.Status
	err    error
	at     time.Time
	count  bool // it was asked for, for its counters: it can wait until the next second
}

// follower brings news until its context ends.
type follower struct {
	daemon Daemon
	now    func() time.Time
	out    chan news     // a receiver that is slow makes the follower wait
	broken chan struct{} // holds one: a watch has ended, so that the state is asked for at once
	mu     sync.Mutex
	cost   time.Duration // of the last answer
}

// follow runs until ctx ends; when it returns nothing of it is left.
func (f *follower) follow(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { f.watch(ctx) })
	f.poll(ctx)
	wg.Wait()
}

func (f *follower) poll(ctx context.Context) {
	for {
		began := f.now()
		s, err := f.daemon.Status(ctx)
		took := f.now().Sub(began)
		if ctx.Err() != nil {
			return
		}
		f.mu.Lock()
		f.cost = took
		f.mu.Unlock()
		wait := retry
		if err == nil {
			wait = min(max(pollShare*took, pollEvery), pollSeldom)
		}
		if !f.tell(ctx, news{s, err, f.now(), true}) || !f.rest(ctx, wait) {
			return
		}
	}
}

// rest waits until it is time to ask again.
func (f *follower) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-f.broken:
	case <-ctx.Done():
		return false
	}
	return true
}

func (f *follower) watch(ctx context.Context) {
	for {
		wait, worked := retry, false
		for s, err := range f.daemon.Watch(ctx) {
			if err != nil {
				var l *local.Error
				if errors.As(err, &l) {
					wait = retryRefuse
				}
				break
			}
			worked = true
			f.mu.Lock()
			cost := f.cost
			f.mu.Unlock()
			if !f.tell(ctx, news{s, nil, f.now(), false}) || !pause(ctx, min(watchShare*cost, watchMost)) {
				return
			}
		}
		if worked { // the daemon may be gone: the poll shall look
			select {
			case f.broken <- struct{}{}:
			default:
			}
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

func (f *follower) tell(ctx context.Context, n news) bool {
	select {
	case f.out <- n:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
