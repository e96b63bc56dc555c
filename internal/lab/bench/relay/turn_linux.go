package main

import (
	"fmt"
	"os"
	"time"

	"github.com/cvlan/cvlan/internal/lab/figure"
)

// side is a relay and what loads it, ready for turns.
type side struct {
	name  string
	read  func() (reading, error)        // CPU used and packets forwarded since the beginning
	begin func() (end func(), err error) // has the load run until end
	close func()
}

// spent is what a turn has cost the relay.
type spent struct {
	cost   float64 // CPU-s for a million packets
	allocs float64 // for a packet
}

// turn loads the relay for a while.
func (s *side) turn(each time.Duration) (spent, error) {
	end, err := s.begin()
	if err != nil {
		return spent{}, err
	}
	defer end()
	time.Sleep(each / 4) // until it is under way
	before, err := s.read()
	if err != nil {
		return spent{}, err
	}
	time.Sleep(each)
	after, err := s.read()
	if err != nil {
		return spent{}, err
	}
	n := float64(after.Frames - before.Frames)
	if n == 0 {
		return spent{}, fmt.Errorf("%s: nothing was forwarded: %v", s.name, after.Dropped)
	}
	got := spent{cost: (after.CPU - before.CPU) / n * 1e6, allocs: float64(after.Mallocs-before.Mallocs) / n}
	fmt.Printf("%-13s %8.0f packets/s, %.2f CPU-s/Mpkt, %.2f allocations a packet, %v\n", s.name, n/each.Seconds(), got.cost, got.allocs, after.Dropped)
	return got, nil
}

// turns has all sides take as many turns as wanted, one after the other, and returns what they cost. The first of each warms up.
func turns(o options, sides ...*side) (all [][]spent, err error) {
	all = make([][]spent, len(sides))
	for i := range o.runs + 1 {
		for j, s := range sides {
			got, err := s.turn(o.each)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				all[j] = append(all[j], got)
			}
		}
	}
	return all, nil
}

func costs(of []spent) []float64  { return figure.Each(of, func(s spent) float64 { return s.cost }) }
func allocs(of []spent) []float64 { return figure.Each(of, func(s spent) float64 { return s.allocs }) }

// loaded is a part that prints what a million packets of a load cost.
func loaded(name, fig string, make func(*child) (*load, error)) func(*child, options) error {
	return func(c *child, o options) error {
		l, err := make(c)
		if err != nil {
			return err
		}
		s := l.side(c, name)
		defer s.close()
		all, err := turns(o, s)
		if err != nil {
			return err
		}
		figure.Spread(os.Stdout, fig, "CPU-s", costs(all[0]))
		if name == "udp" {
			figure.Spread(os.Stdout, "relay_allocs", "allocations/packet", allocs(all[0]))
		}
		return nil
	}
}
