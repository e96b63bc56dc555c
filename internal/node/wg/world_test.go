package wg_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
)

// Nothing that a tunnel starts outlives it; a bubble sees to that by itself.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rtt is how long a question and its answer take on a world's links, unless the story says otherwise.
const rtt = tunneltest.RTT

// world is a network with some ends on it, inside a bubble.
type world struct {
	*testing.T
	*tunneltest.Links
	ends []*end
	dice *rand.Rand
}

// inWorld tells a story in a bubble. What the story leaves open is closed at its end, and checked to be gone.
func inWorld(t *testing.T, seed uint64, story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, Links: tunneltest.NewLinks(seed), dice: rand.New(rand.NewPCG(seed, 2))}
		defer func() {
			for _, e := range w.ends {
				e.Close()
			}
		}()
		story(w)
	})
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
func seeds(n int) int { return tunneltest.Brief(n, max(1, n/25)) }
