package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/load"
)

// echoes are enough for a 99th percentile to be more than one accident.
func echoes() duel.Ping { return duel.Ping{Count: 500, Gap: 5 * time.Millisecond} }

// trips are the round trips of one round.
type trips struct {
	raw    load.RoundTrips // without a tunnel
	idle   duel.Heat[load.RoundTrips]
	loaded duel.Heat[load.RoundTrips]
}

// ping measures how long a small packet is under way: on an idle machine, and beside one TCP stream in the same tunnel.
func ping(ctx context.Context, f *arena) error {
	var all []trips
	for n := range f.rounds() {
		t, err := f.pingOnce(ctx, n)
		if err != nil {
			return err
		}
		fmt.Printf("ping         raw %s   stock %s, loaded %s   cvlan %s, loaded %s\n",
			times(t.raw), times(t.idle.Stock), times(t.loaded.Stock), times(t.idle.Ours), times(t.loaded.Ours))
		all = append(all, t)
	}
	spread("engine_ping_added_us", "µs", all, func(t trips) float64 { return t.idle.Ours.P50 - t.raw.P50 })
	spread("stock_ping_added_us", "µs", all, func(t trips) float64 { return t.idle.Stock.P50 - t.raw.P50 })
	spread("engine_ping_p99_us", "µs", all, func(t trips) float64 { return t.idle.Ours.P99 })
	spread("stock_ping_p99_us", "µs", all, func(t trips) float64 { return t.idle.Stock.P99 })
	spread("engine_ping_loaded_p99_us", "µs", all, func(t trips) float64 { return t.loaded.Ours.P99 })
	spread("stock_ping_loaded_p99_us", "µs", all, func(t trips) float64 { return t.loaded.Stock.P99 })
	return nil
}

func times(r load.RoundTrips) string {
	return fmt.Sprintf("%.0f/%.0f µs (%d of %d)", r.P50, r.P99, r.Received, r.Sent)
}

func (f *arena) pingOnce(ctx context.Context, turn int) (t trips, err error) {
	if t.raw, err = duel.PingBetween(ctx, f.a, f.b.Addr(), f.set, echoes()); err != nil {
		return t, err
	}
	t.idle, err = duel.Compare(turn, f.ours, f.stock, func(p *duel.Pair) (load.RoundTrips, error) { return p.Ping(ctx, echoes()) })
	if err != nil {
		return t, err
	}
	t.loaded, err = duel.Compare(turn, f.ours, f.stock, func(p *duel.Pair) (load.RoundTrips, error) { return pingLoaded(ctx, p) })
	return t, err
}

// pingLoaded pings while a TCP stream is at full speed.
func pingLoaded(ctx context.Context, p *duel.Pair) (r load.RoundTrips, err error) {
	const lead = 500 * time.Millisecond // for the stream to reach its speed, and to outlast the pings
	streamed := make(chan error, 1)
	go func() {
		_, err := p.TCP(ctx, duel.TCP{Streams: 1, For: echoes().Lasts() + 3*lead})
		streamed <- err
	}()
	if err = pause(ctx, lead); err == nil {
		r, err = p.Ping(ctx, echoes())
	}
	if e := <-streamed; err == nil {
		err = e
	}
	return r, err
}
