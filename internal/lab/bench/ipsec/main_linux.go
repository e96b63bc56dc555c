// Command ipsec measures ESP in our engine against stock wireguard-go, and against WireGuard in our engine, in one laboratory: two hosts on
// one routed path, three tunnels up at once, loads in turn. It prints what was measured and the figures that we quote, each as a line
// "FIGURE name value unit". Quote ratios: they were taken in one run on one machine, moments apart.
//
// Our tunnels are the engine alone, in a program of their own (node): no controller, no packet filter, and keys from lab/toyike.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/bare"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/toyike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
)

type options struct {
	set   deploy.Set
	runs  int
	each  time.Duration
	suite esp.Suite
}

// arena is where the three compete.
type arena struct {
	options
	esp, wg, stock *duel.Pair
	a, b           *lab.Host
}

func main() {
	if is, err := bare.Node(node); is {
		fmt.Fprintln(os.Stderr, "ipsec:", err)
		os.Exit(1)
	}
	bin := flag.String("bin", "bin", "folder of the built programs, with tools/wireguard-go and tools/loadgen")
	suite := flag.String("suite", esp.AES256GCM.String(), "how ESP protects packets")
	o := options{}
	flag.IntVar(&o.runs, "runs", 5, "runs of each load on each pair, interleaved")
	flag.DurationVar(&o.each, "for", 3*time.Second, "how long each load lasts")
	flag.Parse()
	if o.suite = suiteOf(*suite); !o.suite.Valid() {
		fmt.Fprintf(os.Stderr, "ipsec: there is no suite %q; say aes256gcm16, for example\n", *suite)
		os.Exit(2)
	}
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) (err error) {
		if o.set.Bin, err = filepath.Abs(*bin); err != nil {
			return err
		}
		return bench(ctx, l, o)
	}))
}

// suiteOf finds a suite by its name; an invalid one if there is none.
func suiteOf(name string) esp.Suite {
	s := esp.Suite(1)
	for s.Valid() && s.String() != name {
		s++
	}
	return s
}

const wireGuard = "wg" // the other kind of node is a suite of ESP

// node is what the kinds differ in.
func node(p bare.Plan, private key.WGPrivate) (s bare.Setup, err error) {
	if p.Kind == wireGuard {
		s.Transports = map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(wg.Config{Private: private})}
		return s, nil
	}
	_, keyer := toyike.New(toyike.Config{Self: private.Public(), Secret: []byte("of the laboratory"), Keys: esp.Keys{Suite: suiteOf(p.Kind), ESN: true, TakesPartial: true, MayBePartial: true}})
	s.Transports = map[tunnel.Class]tunnel.Build{tunnel.IKE: ipsec.New(ipsec.Config{Keyer: keyer})}
	return s, nil
}

func bench(ctx context.Context, l *lab.Lab, o options) error {
	f := &arena{options: o, a: l.Public("a"), b: l.Public("b")}
	var err error
	if f.esp, err = bare.Start(ctx, o.suite.String(), 1, f.a, f.b, o.set); err != nil {
		return err
	}
	if f.wg, err = bare.Start(ctx, wireGuard, 2, f.a, f.b, o.set); err != nil {
		return err
	}
	if f.stock, err = duel.StartStock(ctx, f.a, f.b, o.set); err != nil {
		return err
	}
	duel.Serve(f.b, o.set)
	started := f.b.Programs()
	begun, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := started[len(started)-1].WaitLog(begun, "listening"); err != nil {
		return fmt.Errorf("serve the loads: %w", err)
	}
	for _, p := range f.pairs() {
		if err := p.Warm(ctx); err != nil {
			return fmt.Errorf("warm %s: %w", p.Name, err)
		}
	}
	if err := f.tcp(ctx); err != nil {
		return err
	}
	if err := f.small(ctx); err != nil {
		return err
	}
	return f.ping(ctx)
}

// pairs are all that compete.
func (f *arena) pairs() []*duel.Pair { return []*duel.Pair{f.stock, f.wg, f.esp} }

// round is what one load gave with each.
type round[T any] struct{ stock, wg, esp T }

// compare runs f on all pairs, each time beginning with another, so that whatever else the machine does meets all alike.
func compare[T any](a *arena, turn int, f func(*duel.Pair) (T, error)) (r round[T], err error) {
	pairs, results := a.pairs(), []*T{&r.stock, &r.wg, &r.esp}
	for i := range pairs {
		n := (turn + i) % len(pairs)
		if *results[n], err = f(pairs[n]); err != nil {
			return r, fmt.Errorf("%s: %w", pairs[n].Name, err)
		}
	}
	return r, nil
}

// overStock makes a number of ESP's that of a round: a multiple of stock's.
func overStock[T any](of func(T) float64) func(round[T]) float64 {
	return func(r round[T]) float64 { return of(r.esp) / of(r.stock) }
}

// overWireGuard is likewise a multiple of our WireGuard's.
func overWireGuard[T any](of func(T) float64) func(round[T]) float64 {
	return func(r round[T]) float64 { return of(r.esp) / of(r.wg) }
}

func ours[T any](of func(T) float64) func(round[T]) float64 {
	return func(r round[T]) float64 { return of(r.esp) }
}

func stocks[T any](of func(T) float64) func(round[T]) float64 {
	return func(r round[T]) float64 { return of(r.stock) }
}
