package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/measure"
)

// idleFor is how long a daemon that has joined does nothing before it is measured.
const idleFor = 15 * time.Second

// idle measures what a daemon needs that has joined and has nothing to do. It also says how busy others keep the machine, because
// that decides how far the other figures can be trusted.
func idle(ctx context.Context, p *duel.Pair) error {
	before, err := measure.Busy()
	if err != nil {
		return err
	}
	if err := pause(ctx, idleFor); err != nil {
		return err
	}
	after, err := measure.Busy()
	if err != nil {
		return err
	}
	fmt.Printf("other work keeps the machine's %d processors %.0f %% busy\n", runtime.NumCPU(),
		100*(after-before).Seconds()/idleFor.Seconds()/float64(runtime.NumCPU()))
	now, _, err := p.Memory()
	if err != nil {
		return err
	}
	figureOnce("engine_idle_rss_mb", float64(now)/1e6, "MB")
	return nil
}

// peak measures what the daemons needed at most until now.
func peak(_ context.Context, f *arena) error {
	return f.printPeaks("engine_peak_rss_mb", "stock_peak_rss_mb")
}

func (f *arena) printPeaks(ours, stock string) error {
	for _, p := range []struct {
		name string
		*duel.Pair
	}{{ours, f.ours}, {stock, f.stock}} {
		_, most, err := p.Memory()
		if err != nil {
			return err
		}
		figureOnce(p.name, float64(most)/1e6, "MB")
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
