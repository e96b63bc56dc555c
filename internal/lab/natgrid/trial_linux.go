package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Limits of a trial: how long one that should become direct is watched, and one that need not.
const (
	long  = 10 * time.Second
	short = 5 * time.Second
)

// trial is one meeting of two nodes that have just started.
type trial struct {
	first  time.Duration // from the first datagram to the first answer; 0: none came
	direct time.Duration // until both ends had chosen the direct way; 0: they have not
	relay  string        // the relay of the way in use at the end, if it is not direct
}

// meet lets two fresh nodes speak.
func meet(ctx context.Context, a, b *node, patience time.Duration) (t trial, err error) {
	if err := afresh(ctx, a, b); err != nil {
		return t, err
	}
	f, err := begin(a.Host, b.inner)
	if err != nil {
		return t, err
	}
	defer f.end()
	answered := f.first
	for end := f.began.Add(patience); time.Now().Before(end); {
		select {
		case <-answered:
			t.first, answered = time.Since(f.began), nil
		default:
		}
		if answered == nil && direct(ctx, a, b) {
			t.direct = time.Since(f.began)
			return t, holds(ctx, f, a, b)
		}
		if err := sleep(ctx, pace/2); err != nil {
			return t, err
		}
	}
	_, t.relay = a.path(ctx, b)
	return t, nil
}

// holds checks that the direct way carries what it promises.
func holds(ctx context.Context, f *flow, a, b *node) error {
	since := time.Now()
	if err := sleep(ctx, 300*time.Millisecond); err != nil {
		return err
	}
	if _, quiet := f.silence(since); quiet > 250*time.Millisecond {
		return fmt.Errorf("%s and %s say that their way is direct, and nothing passes", a.name, b.name)
	}
	return nil
}

// meeting is a pair to be tried on two nodes.
type meeting struct {
	a, b  *node
	long  bool // it should become direct
	tries []trial
	err   error
}

// meetAll tries all meetings, each the given times, two at once where they share no node.
func meetAll(ctx context.Context, all []*meeting, runs int, told func(*meeting)) {
	var (
		mu   sync.Mutex
		free = sync.NewCond(&mu)
		busy = map[*node]bool{}
		left = slices.Clone(all)
		done sync.WaitGroup
	)
	take := func() *meeting {
		mu.Lock()
		defer mu.Unlock()
		for len(left) > 0 {
			for i, m := range left {
				if !busy[m.a] && !busy[m.b] {
					busy[m.a], busy[m.b] = true, true
					left = slices.Delete(left, i, i+1)
					return m
				}
			}
			free.Wait()
		}
		return nil
	}
	for range 2 {
		done.Go(func() {
			for m := take(); m != nil; m = take() {
				m.run(ctx, runs)
				mu.Lock()
				delete(busy, m.a)
				delete(busy, m.b)
				told(m)
				free.Broadcast()
				mu.Unlock()
			}
		})
	}
	done.Wait()
}

func (m *meeting) run(ctx context.Context, runs int) {
	patience := short
	if m.long {
		patience = long
	}
	for range runs {
		t, err := meet(ctx, m.a, m.b, patience)
		if err != nil {
			m.err = err
			return
		}
		m.tries = append(m.tries, t)
	}
}

// directs lists how long it took, of those tries that became direct.
func (m *meeting) directs() (all []time.Duration) {
	for _, t := range m.tries {
		if t.direct > 0 {
			all = append(all, t.direct)
		}
	}
	return all
}

// firsts lists how long the first answer took, of those tries that had one.
func (m *meeting) firsts() (all []time.Duration) {
	for _, t := range m.tries {
		if t.first > 0 {
			all = append(all, t.first)
		}
	}
	return all
}
