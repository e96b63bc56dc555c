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
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/duel"
)

type options struct {
	set  deploy.Set
	runs int
	each time.Duration
	idle time.Duration
}

type heat = duel.Heat[duel.Run]

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
	a, b := l.PublicIPv4("a"), l.PublicIPv4("b")
	ours, err := duel.StartOurs(ctx, l.Public("ctl"), a, b, o.set)
	if err != nil {
		return err
	}
	if err := idle(ctx, ours, o); err != nil {
		return err
	}
	stock, err := duel.StartStock(ctx, a, b, o.set)
	if err != nil {
		return err
	}
	duel.Serve(b, o.set)
	for _, p := range []*duel.Pair{ours, stock} {
		if err := p.Warm(ctx); err != nil {
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

// race runs each load on each pair in turn.
func race(ctx context.Context, ours, stock *duel.Pair, o options) (one, four []heat, err error) {
	for n := range o.runs {
		for _, streams := range []int{1, 4} {
			h, err := duel.Compare(n, ours, stock, func(p *duel.Pair) (duel.Run, error) {
				return p.TCP(ctx, duel.TCP{Streams: streams, For: o.each})
			})
			if err != nil {
				return nil, nil, err
			}
			fmt.Printf("tcp%d  stock %s   cvlan %s\n", streams, h.Stock, h.Ours)
			if streams == 1 {
				one = append(one, h)
			} else {
				four = append(four, h)
			}
		}
	}
	return one, four, nil
}
