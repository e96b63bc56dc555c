package wg_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/sys/sock"
)

// Nothing that a tunnel starts outlives it; a bubble sees to that by itself.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rtt is how long a question and its answer take on a world's links, unless the story says otherwise.
const rtt = 40 * time.Millisecond

// world is a network with some ends on it, inside a bubble.
type world struct {
	*testing.T
	net  *sock.Network
	ends []*end
	dice *rand.Rand // the story's

	mu      sync.Mutex    // of what follows
	rnd     *rand.Rand    // the links'
	delay   time.Duration // one way
	jitter  time.Duration // at most, on top of it: packets overtake each other
	loss    float64       // of 1
	twice   float64       // of 1: so many datagrams arrive a second time
	cut     bool          // nothing arrives
	cuts    map[netip.Addr]bool
	carried int // datagrams, the lost ones included
}

// inWorld tells a story in a bubble. What the story leaves open is closed at its end, and checked to be gone.
func inWorld(t *testing.T, seed uint64, story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, dice: rand.New(rand.NewPCG(seed, 2)), rnd: rand.New(rand.NewPCG(seed, 1)), delay: rtt / 2, cuts: map[netip.Addr]bool{}}
		w.net = sock.NewNetwork(w.carry)
		defer func() {
			for _, e := range w.ends {
				e.Close()
			}
		}()
		story(w)
	})
}

// carry implements sock.Carry.
func (w *world) carry(from, to netip.AddrPort) (copies []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.carried++
	if w.cut || w.cuts[from.Addr()] || w.cuts[to.Addr()] {
		return nil
	}
	if w.loss == 0 || w.rnd.Float64() >= w.loss {
		copies = append(copies, w.takes())
	}
	if w.twice > 0 && w.rnd.Float64() < w.twice {
		copies = append(copies, w.takes())
	}
	return copies
}

func (w *world) takes() time.Duration {
	d := w.delay
	if w.jitter > 0 {
		d += time.Duration(w.rnd.Int64N(int64(w.jitter)))
	}
	return d
}

// change alters the network.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// silence cuts an address off, or joins it again.
func (w *world) silence(a netip.Addr, off bool) { w.change(func() { w.cuts[a] = off }) }

// traffic is how many datagrams have been sent so far.
func (w *world) traffic() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.carried
}

// pass lets time go by, and then everything come to rest.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// pair returns two ends that know each other and where they are.
func (w *world) pair() (a, b *end) {
	a, b = w.end(1), w.end(2)
	a.knows(b)
	b.knows(a)
	return a, b
}

// talk has two ends exchange a packet each way, and fails if that takes longer than within.
func (w *world) talk(a, b *end, within time.Duration) {
	w.Helper()
	for _, way := range [][2]*end{{a, b}, {b, a}} {
		text := fmt.Sprintf("from %d at %v", way[0].n, time.Now().UnixNano())
		way[0].says(way[1], text)
		if !way[1].hears(text, within) {
			w.Fatalf("%d did not hear %d within %v; of %d: %+v, of %d: %+v", way[1].n, way[0].n, within,
				way[0].n, way[0].of(way[1]), way[1].n, way[1].of(way[0]))
		}
	}
}

// seeds is how many there are to try: n, or with -short a few.
func seeds(n int) int { return brief(n, max(1, n/25)) }

// brief is all, or with -short less.
func brief[T any](all, less T) T {
	if testing.Short() {
		return less
	}
	return all
}
