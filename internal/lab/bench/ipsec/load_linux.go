package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/internal/lab/load"
)

// spread prints the median of a figure over all rounds, and its range.
func spread[T any](name, unit string, rounds []T, of func(T) float64) {
	figure.Spread(os.Stdout, name, unit, figure.Each(rounds, of))
}

// tcp measures bulk transfer.
func (f *arena) tcp(ctx context.Context) error {
	rounds := map[int][]round[duel.Run]{}
	for n := range f.runs {
		for _, streams := range []int{1, 4} {
			r, err := compare(f, n, func(p *duel.Pair) (duel.Run, error) {
				return p.TCP(ctx, duel.TCP{Streams: streams, For: f.each})
			})
			if err != nil {
				return fmt.Errorf("measure tcp: %w", err)
			}
			fmt.Printf("tcp%d   stock %v   wg %v   esp %v\n", streams, r.stock, r.wg, r.esp)
			rounds[streams] = append(rounds[streams], r)
		}
	}
	one, four := rounds[1], rounds[4]
	spread("ipsec_tcp1_ratio", "x", one, overStock(duel.Run.Speed))
	spread("ipsec_tcp4_ratio", "x", four, overStock(duel.Run.Speed))
	spread("ipsec_cpu_per_gb_ratio", "x", one, overStock(duel.Run.CPUPerGB))
	spread("ipsec_cpu_s_per_gb", "s/GB", one, ours(duel.Run.CPUPerGB))
	spread("ipsec_stock_cpu_s_per_gb", "s/GB", one, stocks(duel.Run.CPUPerGB))
	spread("ipsec_tcp1_gbps", "Gbit/s", one, ours(duel.Run.Speed))
	spread("ipsec_tcp1_over_our_wg", "x", one, overWireGuard(duel.Run.Speed))
	spread("ipsec_tcp4_over_our_wg", "x", four, overWireGuard(duel.Run.Speed))
	spread("ipsec_cpu_over_our_wg", "x", one, overWireGuard(duel.Run.CPUPerGB))
	spread("ipsec_tcp1_retransmits", "segments", one, ours(duel.Run.SentAgain))
	return nil
}

const (
	smallSize = 172  // bytes of UDP payload
	maxLoss   = 0.01 // beyond it a rate is not carried
	step      = time.Second
	firstRate = 32_000
)

// top is the highest rate that a pair has carried with little loss.
type top struct {
	kpps float64 // that arrived
	us   float64 // of both daemons' processor time, a packet
}

func (t top) rate() float64 { return t.kpps }
func (t top) cost() float64 { return t.us }

// small measures small packets: the highest rate that each pair carries, and what a packet costs there.
func (f *arena) small(ctx context.Context) error {
	var rounds []round[top]
	for n := range (f.runs + 1) / 2 {
		r, err := compare(f, n, func(p *duel.Pair) (top, error) { return climb(ctx, p) })
		if err != nil {
			return fmt.Errorf("measure small packets: %w", err)
		}
		fmt.Printf("small  stock %v   wg %v   esp %v\n", r.stock, r.wg, r.esp)
		rounds = append(rounds, r)
	}
	spread("ipsec_small_ratio", "x", rounds, overStock(top.rate))
	spread("ipsec_small_cpu_ratio", "x", rounds, overStock(top.cost))
	spread("ipsec_small_kpps", "kpps", rounds, ours(top.rate))
	spread("ipsec_small_cpu_us", "µs", rounds, ours(top.cost))
	spread("ipsec_small_cpu_over_our_wg", "x", rounds, overWireGuard(top.cost))
	return nil
}

func (t top) String() string { return fmt.Sprintf("%5.1f kpps %5.2f µs a packet", t.kpps, t.us) }

// climb doubles the rate until it is not carried, or not even reached by the sender, and then halves the distance three times.
func climb(ctx context.Context, p *duel.Pair) (best top, err error) {
	carries := func(rate float64) (bool, error) {
		s, err := p.UDP(ctx, duel.UDP{Rate: rate, Size: smallSize, For: step})
		if err != nil {
			return false, err
		}
		lossless := s.Loss <= maxLoss
		if lossless && s.ReceivedKpps > best.kpps {
			best = top{s.ReceivedKpps, s.CPUPerPacket()}
		}
		return lossless && s.SentKpps*1000 >= 0.95*rate, nil
	}
	low, rate := 0., float64(firstRate)
	for ok := true; ok && err == nil; {
		if ok, err = carries(rate); ok {
			low, rate = rate, 2*rate
		}
	}
	for high, n := rate, 0; n < 3 && err == nil; n++ {
		var ok bool
		if ok, err = carries((low + high) / 2); ok {
			low = (low + high) / 2
		} else {
			high = (low + high) / 2
		}
	}
	if err == nil && best.kpps == 0 {
		err = errors.New("no rate is carried: the machine is too busy to measure")
	}
	return best, err
}

// ping measures what a tunnel adds to a round trip.
func (f *arena) ping(ctx context.Context) error {
	echoes := duel.Ping{Count: 500, Gap: 5 * time.Millisecond}
	var added, stock []float64
	for n := range (f.runs + 1) / 2 {
		raw, err := duel.PingBetween(ctx, f.a, f.b.Addr(), f.set, echoes)
		if err != nil {
			return fmt.Errorf("measure ping: %w", err)
		}
		r, err := compare(f, n, func(p *duel.Pair) (load.RoundTrips, error) { return p.Ping(ctx, echoes) })
		if err != nil {
			return fmt.Errorf("measure ping: %w", err)
		}
		fmt.Printf("ping   raw %.0f µs   stock %.0f   wg %.0f   esp %.0f\n", raw.P50, r.stock.P50, r.wg.P50, r.esp.P50)
		added, stock = append(added, r.esp.P50-raw.P50), append(stock, r.stock.P50-raw.P50)
	}
	figure.Spread(os.Stdout, "ipsec_ping_added_us", "µs", added)
	figure.Spread(os.Stdout, "ipsec_stock_ping_added_us", "µs", stock)
	return nil
}
