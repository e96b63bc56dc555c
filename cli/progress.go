package cli

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// patience is how long something takes before a person is told that it goes on.
const patience = time.Second

// progress tells a person who watches that something takes its time.
type progress struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// progress starts telling, on standard error and only to a person. stop takes it away again. What is told already stays: progress within
// progress tells nothing.
func (e *Env) progress(ctx context.Context, doing string) *progress {
	ctx, cancel := context.WithCancel(ctx)
	p := &progress{cancel: cancel}
	if e.IO.ErrTTY && e.telling.CompareAndSwap(false, true) {
		p.done.Go(func() {
			defer e.telling.Store(false)
			e.tell(ctx, doing)
		})
	}
	return p
}

func (p *progress) stop() {
	p.cancel()
	p.done.Wait()
}

// asking makes of what somebody is asked progress: for Asked of a client.
func (e *Env) asking(whom string) func() (done func()) {
	return func() func() { return e.progress(context.Background(), "asking "+whom).stop }
}

func (e *Env) tell(ctx context.Context, doing string) {
	start := time.Now()
	tick := time.NewTicker(patience)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-tick.C:
			if e.IO.Dumb { // what is written stays: once will do
				fmt.Fprintf(e.IO.Err, "%s …\n", doing)
				tick.Stop()
				continue
			}
			fmt.Fprintf(e.IO.Err, "\r%s … %ds", doing, int(time.Since(start)/time.Second))
			told = true
		case <-ctx.Done():
			if told {
				fmt.Fprint(e.IO.Err, "\r\x1b[K")
			}
			return
		}
	}
}
