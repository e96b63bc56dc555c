package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/lab/figure"
)

const (
	smallSize = 172  // bytes of UDP payload
	maxLoss   = 0.01 // beyond it a rate is not carried
	steps     = 6    // of one search
	step      = time.Second
)

// small measures small packets: the highest rate that each pair carries and what a packet costs there, and what it costs at a low rate that
// both carry, where every packet wakes everybody on its way.
func small(ctx context.Context, f *arena) error {
	tops, err := f.search(ctx)
	if err != nil {
		return err
	}
	spread("engine_small_kpps", "kpps", tops, duel.Ours(top.rate))
	spread("stock_small_kpps", "kpps", tops, duel.Stock(top.rate))
	spread("engine_small_ratio", "x", tops, duel.Ratio(top.rate))
	spread("engine_small_cpu_ratio", "x", tops, duel.Ratio(top.cost))
	spread("engine_small_cpu_us", "µs", tops, duel.Ours(top.cost))
	spread("stock_small_cpu_us", "µs", tops, duel.Stock(top.cost))
	var each []float64
	for _, h := range tops {
		each = append(each, min(h.Ours.kpps, h.Stock.kpps))
	}
	costs, err := f.smallCosts(ctx, 0.7*1000*figure.Median(each))
	if err != nil {
		return err
	}
	spread("engine_small_slow_cpu_ratio", "x", costs, duel.Ratio(duel.Stream.CPUPerPacket))
	spread("engine_small_slow_cpu_us", "µs", costs, duel.Ours(duel.Stream.CPUPerPacket))
	spread("stock_small_slow_cpu_us", "µs", costs, duel.Stock(duel.Stream.CPUPerPacket))
	return nil
}

// top is the highest rate that a pair has carried.
type top struct {
	kpps float64 // that arrived
	us   float64 // of both daemons' processor time, a packet
}

func (t top) rate() float64 { return t.kpps }
func (t top) cost() float64 { return t.us }

// climber is one pair that searches.
type climber struct {
	*duel.Pair
	climb
	best top // of this search
}

// search finds the tops of both pairs in every round. Before the first round a coarse search finds where to begin; each
// round begins where the last has ended.
func (f *arena) search(ctx context.Context) (tops []duel.Heat[top], err error) {
	ours, stock := &climber{Pair: f.ours}, &climber{Pair: f.stock}
	ours.climb, stock.climb = climb{guess: 64_000, factor: 2}, climb{guess: 64_000, factor: 2}
	for round := range 1 + f.rounds() {
		for n := range steps {
			h, err := duel.Compare(n, ours, stock, func(c *climber) (duel.Stream, error) { return c.step(ctx) })
			if err != nil {
				return nil, err
			}
			show("small search", h)
		}
		found := duel.Heat[top]{Ours: ours.best, Stock: stock.best}
		if found.Ours.kpps == 0 || found.Stock.kpps == 0 {
			return nil, errors.New("a pair carries no rate at all with so little loss: the machine is too busy to measure")
		}
		if round > 0 {
			tops = append(tops, found)
			fmt.Printf("small top    stock %.1f kpps   cvlan %.1f kpps\n", found.Stock.kpps, found.Ours.kpps)
		}
		ours.again()
		stock.again()
	}
	return tops, nil
}

// step tries one rate. One that the sender could not reach was not carried, whoever kept it from its processor, but what arrived of
// it counts.
func (c *climber) step(ctx context.Context) (duel.Stream, error) {
	rate := c.next()
	s, err := c.UDP(ctx, duel.UDP{Rate: rate, Size: smallSize, For: step})
	if err != nil {
		return s, err
	}
	lossless := s.Loss <= maxLoss
	if lossless {
		if s.ReceivedKpps > c.best.kpps {
			c.best = top{s.ReceivedKpps, s.CPUPerPacket()}
		}
	}
	c.tell(rate, lossless && s.SentKpps*1000 >= 0.95*rate)
	return s, nil
}

// again begins a fine search.
func (c *climber) again() {
	c.climb, c.best = climb{guess: c.best.kpps * 1000, factor: 1.2}, top{}
}

// smallCosts measures what a packet costs at one rate. If a pair loses too much, it begins again at a lower rate.
func (f *arena) smallCosts(ctx context.Context, rate float64) (costs []duel.Heat[duel.Stream], err error) {
	const attempts = 4
	for range attempts {
		for n := 0; len(costs) < f.rounds(); n++ {
			h, err := duel.Compare(n, f.ours, f.stock, func(p *duel.Pair) (duel.Stream, error) {
				return p.UDP(ctx, duel.UDP{Rate: rate, Size: smallSize, For: f.each})
			})
			if err != nil {
				return nil, err
			}
			show("small cost", h)
			if h.Ours.Loss > maxLoss || h.Stock.Loss > maxLoss {
				break
			}
			costs = append(costs, h)
		}
		if len(costs) == f.rounds() {
			return costs, nil
		}
		costs, rate = nil, 0.8*rate
	}
	return nil, fmt.Errorf("both pairs do not carry even %.0f packets a second with so little loss: the machine is too busy to measure", rate/0.8)
}
