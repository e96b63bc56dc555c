// Command engine measures the packet engine inside cvland against stock wireguard-go in the same laboratory: two hosts on one
// routed path of IPv4, both tunnels up at once, loads in turn. It prints what was measured and the figures that we quote, each as a line
// "FIGURE name value unit"; docs/operate/performance.md says what each means. Quote ratios: they were taken in one run on one
// machine, moments apart.
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
)

type options struct {
	set  deploy.Set
	runs int
	each time.Duration
	only string // the name of a part, or "" for all
	perf string // folder for profiles, or ""
}

// rounds is how often a part is repeated whose single run is long or counts many packets.
func (o options) rounds() int { return (o.runs + 1) / 2 }

// arena is where the pairs compete.
type arena struct {
	options
	ours, stock *duel.Pair
	a, b        *lab.Host
	stranger    *lab.Host // who floods
}

// part is one kind of load and its figures.
type part struct {
	name string
	run  func(context.Context, *arena) error
}

// parts are in the order in which they run: what they leave in the daemons' memory is a figure too.
func parts() []part {
	return []part{{"tcp", tcp}, {"small", small}, {"ping", ping}, {"peak", peak}, {"flood", flood}}
}

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs, with tools/wireguard-go and tools/loadgen")
	o := options{}
	flag.IntVar(&o.runs, "runs", 5, "runs of each TCP load on each pair, interleaved; other parts run half as often")
	flag.DurationVar(&o.each, "for", 3*time.Second, "how long each load lasts")
	flag.StringVar(&o.only, "only", "", "run one part: "+strings.Join(names(), ", "))
	flag.StringVar(&o.perf, "perf", "", "folder for CPU profiles of both daemons under one TCP stream, taken by perf")
	flag.Parse()
	if err := o.check(); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(2)
	}
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) error {
		abs, err := filepath.Abs(*bin)
		if err != nil {
			return err
		}
		o.set = deploy.Set{Bin: abs}
		return bench(ctx, l, o)
	}))
}

func names() []string {
	all := []string{"idle"}
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}

func (o options) check() error {
	if o.runs < 1 || o.runs > 100 || o.each < 100*time.Millisecond || o.each > time.Minute {
		return fmt.Errorf("%d runs for %v: from 1 to 100 runs, from 100ms to 1m each, are possible", o.runs, o.each)
	}
	for _, name := range append(names(), "") {
		if name == o.only {
			return nil
		}
	}
	return fmt.Errorf("no part is called %q; say %s", o.only, strings.Join(names(), ", "))
}

func (o options) wants(name string) bool { return o.only == "" || o.only == name }

// bench runs all parts that were asked for, those after a failed one too.
func bench(ctx context.Context, l *lab.Lab, o options) error {
	f, err := build(ctx, l, o)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range parts() {
		if !o.wants(p.name) {
			continue
		}
		if err := p.run(ctx, f); err != nil {
			errs = append(errs, fmt.Errorf("measure %s: %w", p.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// build starts both pairs. Ours is watched while it idles alone.
func build(ctx context.Context, l *lab.Lab, o options) (*arena, error) {
	f := &arena{options: o, a: l.PublicIPv4("a"), b: l.PublicIPv4("b"), stranger: l.Public("stranger")}
	said, err := f.a.Run(ctx, o.set.Path("cvland"), "--version")
	if err != nil {
		return nil, err
	}
	fmt.Println("measuring", strings.TrimSpace(said)) // "dirty": what was measured is in no commit
	if f.ours, err = duel.StartOurs(ctx, l.Public("ctl"), f.a, f.b, o.set); err != nil {
		return nil, err
	}
	if o.wants("idle") {
		if err := idle(ctx, f.ours); err != nil {
			return nil, err
		}
	}
	if f.stock, err = duel.StartStock(ctx, f.a, f.b, o.set); err != nil {
		return nil, err
	}
	duel.Serve(f.b, o.set)
	for _, p := range []*duel.Pair{f.ours, f.stock} {
		if err := p.Warm(ctx); err != nil {
			return nil, err
		}
	}
	return f, nil
}
