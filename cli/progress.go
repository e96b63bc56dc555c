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

// progress starts telling, on standard error and only to a person whose terminal can take it back. stop takes it away again.
func (e *Env) progress(ctx context.Context, doing string) *progress {
	ctx, cancel := context.WithCancel(ctx)
	p := &progress{cancel: cancel}
	if e.IO.ErrTTY && !e.IO.Dumb {
		p.done.Go(func() { e.tell(ctx, doing) })
	}
	return p
}

func (p *progress) stop() {
	p.cancel()
	p.done.Wait()
}

func (e *Env) tell(ctx context.Context, doing string) {
	start := time.Now()
	tick := time.NewTicker(patience)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-tick.C:
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
