// Command relayed measures one TCP connection between two nodes twice in the same laboratory, in turns: directly, and through a relay because
// UDP between the two is cut. It prints "FIGURE relayed_over_direct_tcp1 value x".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/figure"
)

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs, with tools/loadgen")
	runs := flag.Int("runs", 5, "runs of each")
	each := flag.Duration("for", 3*time.Second, "how long a run lasts")
	flag.Parse()
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) error {
		abs, err := filepath.Abs(*bin)
		if err != nil {
			return err
		}
		return compare(ctx, l, deploy.Set{Bin: abs}, *runs, *each)
	}))
}

// compare runs both in turns.
func compare(ctx context.Context, l *lab.Lab, set deploy.Set, runs int, each time.Duration) error {
	a, b := l.Public("a"), l.Public("b")
	p, n, err := duel.StartRelayed(ctx, l.Public("ctl"), l.Public("relay"), a, b, set)
	if err != nil {
		return err
	}
	duel.Serve(b, set)
	var ratios []float64
	for range runs {
		l.Heal(a, b)
		if err := path(ctx, n, p, "direct"); err != nil {
			return err
		}
		direct, err := p.TCP(ctx, duel.TCP{Streams: 1, For: each})
		if err != nil {
			return err
		}
		l.CutUDP(a, b)
		if err := path(ctx, n, p, "relay"); err != nil {
			return err
		}
		relayed, err := p.TCP(ctx, duel.TCP{Streams: 1, For: each})
		if err != nil {
			return err
		}
		fmt.Printf("direct  %v\nrelayed %v\n", direct, relayed)
		ratios = append(ratios, relayed.Gbps/direct.Gbps)
	}
	figure.Spread(os.Stdout, "relayed_over_direct_tcp1", "x", ratios)
	return nil
}

// path waits until echoes take a kind of path, patiently: the machine may be busy.
func path(ctx context.Context, n *deploy.Node, p *duel.Pair, kind string) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		out, err := n.CLI(ctx, "ping", "-c", "1", "--timeout", "500ms", p.To.String())
		if err == nil && strings.Contains(out, " ms, "+kind) {
			return nil
		}
	}
	return errors.New("the path does not become " + kind)
}
