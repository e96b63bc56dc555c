// Command bench measures a pair of cvland against a pair of stock wireguard-go in the same laboratory: two hosts on one routed
// path, both tunnels up at once, loads in turn. It prints what was measured and the figures that we quote, each as a line
// "FIGURE name value unit". Quote ratios: they were taken in one run on one machine, moments apart.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

// mtu is that of both tunnels: stock's default.
const mtu = 1420

type options struct {
	set  deploy.Set
	runs int
	each time.Duration
	idle time.Duration
}

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs, with tools/wireguard-go and tools/loadgen")
	o := options{}
	flag.IntVar(&o.runs, "runs", 5, "runs of each load on each pair, interleaved")
	flag.DurationVar(&o.each, "for", 5*time.Second, "how long each load lasts")
	flag.DurationVar(&o.idle, "idle", 20*time.Second, "how long the idle daemon is watched")
	flag.Parse()
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) error {
		abs, err := filepath.Abs(*bin)
		if err != nil {
			return err
		}
		o.set = deploy.Set{Bin: abs}
		return bench(ctx, l, o)
	}))
}

func bench(ctx context.Context, l *lab.Lab, o options) error {
	a, b := l.Public("a"), l.Public("b")
	ours, err := cvlanPair(ctx, l.Public("ctl"), a, b, o)
	if err != nil {
		return err
	}
	if err := idle(ctx, ours, o); err != nil {
		return err
	}
	stock, err := stockPair(ctx, a, b, o.set)
	if err != nil {
		return err
	}
	b.Start(o.set.Path("tools/loadgen"), "serve", "-listen", fmt.Sprintf(":%d", loadPort))
	for _, p := range []*pair{ours, stock} {
		if err := p.warm(ctx, o.set); err != nil {
			return err
		}
	}
	one, four, err := race(ctx, ours, stock, o)
	if err != nil {
		return err
	}
	report(one, four)
	return nil
}

// race runs each load on each pair in turn, the one first that was second the last time, so that whatever else the machine does
// meets both alike.
func race(ctx context.Context, ours, stock *pair, o options) (one, four []heat, err error) {
	for n := range o.runs {
		for _, streams := range []int{1, 4} {
			h, err := compare(ctx, ours, stock, streams, n%2 == 1, o)
			if err != nil {
				return nil, nil, err
			}
			fmt.Printf("tcp%d  stock %s   cvlan %s\n", streams, h.stock, h.ours)
			if streams == 1 {
				one = append(one, h)
			} else {
				four = append(four, h)
			}
		}
	}
	return one, four, nil
}

// compare runs one load on both pairs.
func compare(ctx context.Context, ours, stock *pair, streams int, oursFirst bool, o options) (h heat, err error) {
	turns := []struct {
		p  *pair
		to *run
	}{{stock, &h.stock}, {ours, &h.ours}}
	if oursFirst {
		slices.Reverse(turns)
	}
	for _, t := range turns {
		if *t.to, err = t.p.load(ctx, o.set, streams, o.each); err != nil {
			return h, err
		}
	}
	return h, nil
}

func report(one, four []heat) {
	spread("wg_tcp1_ratio", "x", one, func(h heat) float64 { return h.ours.gbps / h.stock.gbps })
	spread("wg_tcp4_ratio", "x", four, func(h heat) float64 { return h.ours.gbps / h.stock.gbps })
	spread("wg_cpu_per_gb_ratio", "x", one, func(h heat) float64 { return h.ours.cpuPerGB() / h.stock.cpuPerGB() })
	spread("wg_cpu_s_per_gb", "s/GB", one, func(h heat) float64 { return h.ours.cpuPerGB() })
	spread("wg_machine_s_per_gb_ratio", "x", one, func(h heat) float64 { return h.ours.busyPerGB() / h.stock.busyPerGB() })
	spread("wg_tcp1_gbps", "Gbit/s", one, func(h heat) float64 { return h.ours.gbps })
}
