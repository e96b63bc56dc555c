package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/series"
)

// Limits of a trial: how long one that should become direct is watched, and one that need not.
const (
	long  = 10 * time.Second
	short = 5 * time.Second
)

// trial is one meeting of two nodes that have just started.
type trial struct {
	first  time.Duration // from the first datagram to the first answer; 0: none came
	direct time.Duration // until traffic went directly both ways, and went on so; 0: it did not
	relay  string        // the relay of the way in use at the end, if it is not direct
	wrong  bool          // the nodes say something else of their way than what was seen on the wire
}

// meet lets two fresh nodes speak. Whether they do so directly is counted where their ways meet; what they say is only compared.
func meet(ctx context.Context, l *lab.Lab, a, b *node, patience time.Duration) (t trial, err error) {
	if err := afresh(ctx, a, b); err != nil {
		return t, err
	}
	w, err := watch(l, a, b)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	f, err := series.Begin(a.Host, b.inner)
	if err != nil {
		return t, err
	}
	defer f.End(0)
	answered := f.First()
	for end := f.Began().Add(patience); time.Now().Before(end); {
		select {
		case <-answered:
			t.first, answered = time.Since(f.Began()), nil
		case <-ctx.Done():
			return t, ctx.Err()
		case <-time.After(pace / 2):
		}
		if answered == nil && w.direct(ctx) {
			at := time.Since(f.Began())
			if w.holds(ctx) {
				t.direct = at
				break
			}
		}
	}
	if t.direct == 0 {
		_, t.relay = a.path(ctx, b)
	}
	t.wrong = t.first > 0 && direct(ctx, a, b) != (t.direct > 0)
	return t, nil
}

// watcher looks at the wire between two nodes.
type watcher struct {
	a, b    *node
	counter *lab.Counter // nil on one LAN, where nothing can be seen: the nodes are believed
}

// tunnelled is the first byte of a WireGuard datagram that carries something; what goes through a relay begins otherwise.
const tunnelled = 4

func watch(l *lab.Lab, a, b *node) (w watcher, err error) {
	w = watcher{a: a, b: b}
	if a.site != b.site {
		w.counter, err = l.CountUDP(a.Host, b.Host, tunnelled)
	}
	return w, err
}

func (w *watcher) close() error {
	if w.counter == nil {
		return nil
	}
	return w.counter.Close()
}

// direct reports whether anything went directly, both ways.
func (w *watcher) direct(ctx context.Context) bool {
	if w.counter == nil {
		return direct(ctx, w.a, w.b)
	}
	there, back, err := w.counter.Read()
	return err == nil && there > 0 && back > 0
}

// holds checks that most of the traffic of some time goes directly.
func (w *watcher) holds(ctx context.Context) bool {
	const some = 300 * time.Millisecond
	if w.counter == nil {
		return sleep(ctx, some) == nil && w.direct(ctx)
	}
	there, back, err := w.counter.Read()
	if err != nil || sleep(ctx, some) != nil {
		return false
	}
	there2, back2, err := w.counter.Read()
	least := uint64(some / series.Pace / 2)
	return err == nil && there2-there >= least && back2-back >= least
}

// meeting is a pair to be tried on two nodes.
type meeting struct {
	a, b  *node
	long  bool // it should become direct
	tries []trial
	err   error
}

// meetAll tries all meetings, each the given times, two at once where they share no node.
func meetAll(ctx context.Context, l *lab.Lab, all []*meeting, runs int, told func(*meeting)) {
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
				m.run(ctx, l, runs)
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

func (m *meeting) run(ctx context.Context, l *lab.Lab, runs int) {
	patience := short
	if m.long {
		patience = long
	}
	for range runs {
		t, err := meet(ctx, l, m.a, m.b, patience)
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

// wrongs counts the tries after which the nodes said something else than what was seen.
func (m *meeting) wrongs() (n int) {
	for _, t := range m.tries {
		if t.wrong {
			n++
		}
	}
	return n
}
