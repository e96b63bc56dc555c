package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/load"
)

const (
	floodRate  = 20_000 // initiations a second
	closedPort = 9      // nobody listens there
)

// flooded is one TCP stream under two floods.
type flooded struct {
	open   duel.Run // at the WireGuard port
	closed duel.Run // at a port where nobody listens
	rate   float64  // of the former, a second
}

// kept is which part of its speed the stream keeps.
func (f flooded) kept() float64 { return f.open.Gbps / f.closed.Gbps }

func (f flooded) String() string {
	return fmt.Sprintf("%5.2f Gbit/s under %.0f a second, %5.2f when they go nowhere", f.open.Gbps, f.rate, f.closed.Gbps)
}

// flood measures what strangers who know A's public key can do to an established stream. It comes last: what the flood leaves in the
// daemons' memory is a figure of its own.
func flood(ctx context.Context, f *arena) error {
	var heats []duel.Heat[flooded]
	for n := range f.rounds() {
		h, err := duel.Compare(n, f.ours, f.stock, func(p *duel.Pair) (flooded, error) { return f.floodBoth(ctx, p, n) })
		if err != nil {
			return err
		}
		show("flood", h)
		heats = append(heats, h)
	}
	spread("engine_established_under_flood", "x", heats, duel.Ours(flooded.kept))
	spread("stock_established_under_flood", "x", heats, duel.Stock(flooded.kept))
	return f.printPeaks("engine_flood_peak_rss_mb", "stock_flood_peak_rss_mb")
}

// floodBoth floods both ports, in even turns the closed one first.
func (f *arena) floodBoth(ctx context.Context, p *duel.Pair, turn int) (r flooded, err error) {
	for i := range 2 {
		if (turn+i)%2 == 0 {
			r.closed, _, err = f.under(ctx, p, closedPort)
		} else {
			r.open, r.rate, err = f.under(ctx, p, p.Port)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// under runs one TCP stream while a port of A is flooded with initiations for A.
func (f *arena) under(ctx context.Context, p *duel.Pair, port uint16) (r duel.Run, rate float64, err error) {
	const lead = 20 * time.Second // for initiations to be made and the stream to start on a busy machine: the flood is ended by us
	gen := f.stranger.Start(f.set.Path("tools/loadgen"), "flood", "-to", netip.AddrPortFrom(f.a.Addr(), port).String(),
		"-key", p.Key.String(), "-rate", fmt.Sprint(floodRate), "-for", (f.each + lead).String())
	begun, cancel := context.WithTimeout(ctx, lead)
	defer cancel()
	if err := gen.WaitLog(begun, "flooding"); err != nil {
		return r, 0, err
	}
	if r, err = p.TCP(ctx, duel.TCP{Streams: 1, For: f.each}); err != nil {
		gen.Kill()
		return r, 0, err
	}
	if err := gen.Stop(5 * time.Second); err != nil {
		return r, 0, fmt.Errorf("end the flood: %w; it says:\n%s", err, gen.Log())
	}
	var sent load.Flooded
	lines := strings.Split(strings.TrimSpace(gen.Log()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sent); err != nil {
		return r, 0, fmt.Errorf("read what the flood sent: %w; it says:\n%s", err, gen.Log())
	}
	return r, sent.Rate, nil
}
