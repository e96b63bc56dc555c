package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/lab/measure"
)

// idle watches one daemon that has joined and has nothing to do.
func idle(ctx context.Context, p *pair, o options) error {
	before, err := measure.Process(p.pids[0])
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(o.idle):
	}
	after, err := measure.Process(p.pids[0])
	if err != nil {
		return err
	}
	figure("daemon_idle_rss_mb", float64(after.RSS)/1e6, "MB", "")
	figure("daemon_idle_cpu_percent", 100*(after.CPU-before.CPU).Seconds()/o.idle.Seconds(), "%", "")
	return nil
}

// spread prints the median of a figure over all heats, and its range.
func spread(name, unit string, heats []heat, of func(heat) float64) {
	var all []float64
	for _, h := range heats {
		all = append(all, of(h))
	}
	slices.Sort(all)
	figure(name, all[len(all)/2], unit, fmt.Sprintf(" (%.2f to %.2f in %d runs)", all[0], all[len(all)-1], len(all)))
}

func figure(name string, value float64, unit, note string) {
	fmt.Printf("FIGURE %s %.2f %s%s\n", name, value, unit, note)
}
