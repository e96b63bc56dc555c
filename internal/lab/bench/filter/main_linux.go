// Command filter measures what the packet filter costs our engine: two tunnels between the same two hosts of a laboratory, one with a filter of
// 1,000 rules and 10,000 addresses at both ends, one without, both up at once, under the same load one after the other. It prints what was
// measured and the figures that we quote, each as a line "FIGURE name value unit". Ratios are of the filtered over the open tunnel.
//
// The tunnels are the engine alone, WireGuard in a program of their own (node): no controller.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/bare"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
)

type options struct {
	set  deploy.Set
	runs int
	each time.Duration
	rate float64 // of small packets
}

// arena is where both compete: what duel calls ours is filtered, and stock is open.
type arena struct {
	options
	filtered, open *duel.Pair
	a, b           *lab.Host
}

func main() {
	if is, err := bare.Node(node); is {
		fmt.Fprintln(os.Stderr, "filter:", err)
		os.Exit(1)
	}
	bin := flag.String("bin", "bin", "folder of the built programs, with tools/loadgen")
	o := options{}
	flag.IntVar(&o.runs, "runs", 5, "runs of each load on each pair, interleaved")
	flag.DurationVar(&o.each, "for", 3*time.Second, "how long each load lasts")
	flag.Float64Var(&o.rate, "rate", 20_000, "small packets a second")
	flag.Parse()
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) (err error) {
		if o.set.Bin, err = filepath.Abs(*bin); err != nil {
			return err
		}
		return bench(ctx, l, o)
	}))
}

const filtered = "filtered"

// node is what the two kinds differ in.
func node(p bare.Plan, private key.WGPrivate) (s bare.Setup, err error) {
	s.Transports = map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(wg.Config{Private: private})}
	if p.Kind == filtered {
		s.Filter, err = filterFor(p.Address.Addr(), p.PeerIn)
	}
	return s, err
}

func bench(ctx context.Context, l *lab.Lab, o options) (err error) {
	f := &arena{options: o, a: l.PublicIPv4("a"), b: l.PublicIPv4("b")}
	if f.filtered, err = bare.Start(ctx, filtered, 1, f.a, f.b, f.set); err != nil {
		return err
	}
	if f.open, err = bare.Start(ctx, "open", 2, f.a, f.b, f.set); err != nil {
		return err
	}
	duel.Serve(f.b, o.set)
	for _, p := range []*duel.Pair{f.filtered, f.open} {
		if err := p.Warm(ctx); err != nil {
			return fmt.Errorf("warm %s: %w", p.Name, err)
		}
	}
	if err := f.tcp(ctx); err != nil {
		return fmt.Errorf("measure tcp: %w", err)
	}
	if err := f.small(ctx); err != nil {
		return fmt.Errorf("measure small packets: %w", err)
	}
	return nil
}

// tcp measures bulk transfer.
func (f *arena) tcp(ctx context.Context) error {
	var heats []duel.Heat[duel.Run]
	for n := range f.runs {
		h, err := duel.Compare(n, f.filtered, f.open, func(p *duel.Pair) (duel.Run, error) {
			return p.TCP(ctx, duel.TCP{Streams: 1, For: f.each})
		})
		if err != nil {
			return err
		}
		fmt.Printf("tcp1   open %v   filtered %v\n", h.Stock, h.Ours)
		heats = append(heats, h)
	}
	figure.Spread(os.Stdout, "filter_cpu_ratio", "x", figure.Each(heats, duel.Ratio(duel.Run.CPUPerGB)))
	figure.Spread(os.Stdout, "filter_tcp1_ratio", "x", figure.Each(heats, duel.Ratio(duel.Run.Speed)))
	return nil
}

// smallSize is the payload of a packet of speech, in bytes.
const smallSize = 172

// small measures packets that travel alone: each is judged by itself.
func (f *arena) small(ctx context.Context) error {
	var heats []duel.Heat[duel.Stream]
	for n := range f.runs {
		h, err := duel.Compare(n, f.filtered, f.open, func(p *duel.Pair) (duel.Stream, error) {
			return p.UDP(ctx, duel.UDP{Rate: f.rate, Size: smallSize, For: f.each})
		})
		if err != nil {
			return err
		}
		fmt.Printf("small   open %.2f µs a packet   filtered %.2f µs a packet\n", h.Stock.CPUPerPacket(), h.Ours.CPUPerPacket())
		heats = append(heats, h)
	}
	figure.Spread(os.Stdout, "filter_small_cpu_ratio", "x", figure.Each(heats, duel.Ratio(duel.Stream.CPUPerPacket)))
	return nil
}
