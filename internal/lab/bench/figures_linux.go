package main

import (
	"context"
	"os"
	"time"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/lab/measure"
)

// idle watches one daemon that has joined and has nothing to do.
func idle(ctx context.Context, p *duel.Pair, o options) error {
	before, err := measure.Process(p.PIDs[0])
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(o.idle):
	}
	after, err := measure.Process(p.PIDs[0])
	if err != nil {
		return err
	}
	figure.Print(os.Stdout, "daemon_idle_rss_mb", float64(after.RSS)/1e6, "MB", "")
	figure.Print(os.Stdout, "daemon_idle_cpu_percent", 100*(after.CPU-before.CPU).Seconds()/o.idle.Seconds(), "%", "")
	return nil
}

func report(one, four []heat) {
	spread := func(name, unit string, heats []heat, of func(heat) float64) {
		figure.Spread(os.Stdout, name, unit, figure.Each(heats, of))
	}
	spread("wg_tcp1_ratio", "x", one, duel.Ratio(duel.Run.Speed))
	spread("wg_tcp4_ratio", "x", four, duel.Ratio(duel.Run.Speed))
	spread("wg_cpu_per_gb_ratio", "x", one, duel.Ratio(duel.Run.CPUPerGB))
	spread("wg_cpu_s_per_gb", "s/GB", one, duel.Ours(duel.Run.CPUPerGB))
	spread("wg_machine_s_per_gb_ratio", "x", one, duel.Ratio(duel.Run.MachinePerGB))
	spread("wg_tcp1_gbps", "Gbit/s", one, duel.Ours(duel.Run.Speed))
}
