package wg

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sim/timeline"
)

// world is two machines and the link between them in virtual time.
type world struct {
	t     testing.TB
	now   mono.Time
	side  [2]*shell
	keys  [2]key.WGPrivate
	pub   [2]key.WGPublic
	from  [2]Origin // as the other side sees it
	rnd   *rand.Rand
	queue timeline.Queue[arrival]
	talks int

	latency, spread time.Duration
	loss            float64
	cut             bool
	// pass may drop or record what a side sends; nil: everything passes.
	pass func(from int, data []byte) bool
	sent [2][5]int // messages by kind
}

// newWorld joins two machines that know each other. change may alter their configuration.
func newWorld(t testing.TB, seed uint64, change func(side int, cfg *Config, peer *Peer)) *world {
	t.Helper()
	w := &world{t: t, now: mono.Time(time.Hour), rnd: rand.New(testRandom(seed)), latency: 20 * time.Millisecond}
	for i := range w.side {
		w.keys[i] = testKey(t, i)
		w.pub[i] = w.keys[i].Public()
		w.from[i] = Origin{Source: Source(i + 1), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 51820)}
	}
	for i := range w.side {
		w.boot(i, seed*2+uint64(i), epoch(), change)
	}
	return w
}

// boot starts a side, or starts it anew.
func (w *world) boot(i int, seed uint64, at time.Time, change func(side int, cfg *Config, peer *Peer)) {
	w.t.Helper()
	cfg := Config{Private: w.keys[i], Epoch: at}
	peer := Peer{Public: w.pub[1-i]}
	if change != nil {
		change(i, &cfg, &peer)
	}
	s := newShell(w.t, cfg, seed)
	s.send = func(tr Transmit) { w.carry(i, tr.Data) }
	w.side[i] = s
	if cfg.Lookup == nil {
		if err := s.m.Put(w.now, peer, &s.out); err != nil {
			w.t.Fatal(err)
		}
		s.flush(w.now)
	}
}

func (w *world) carry(from int, data []byte) {
	w.sent[from][KindOf(data)]++
	if w.pass != nil && !w.pass(from, data) {
		return
	}
	if w.cut || w.rnd.Float64() < w.loss {
		return
	}
	at := w.now.Add(w.latency)
	if w.spread > 0 {
		at = at.Add(time.Duration(w.rnd.Int64N(int64(w.spread))))
	}
	w.queue.Put(at, arrival{1 - from, data})
}

// run lets d go by.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for {
		at := w.queue.Next()
		for _, s := range w.side {
			at = mono.Earlier(at, s.m.Deadline())
		}
		if at.IsNever() || at > end {
			break
		}
		if at < w.now {
			w.t.Fatalf("deadline %v lies %v in the past", time.Duration(at), w.now.Sub(at))
		}
		before := w.now
		w.now = at
		if a, ok := w.queue.Take(at); ok {
			w.side[a.to].read(w.now, w.from[1-a.to], a.data)
			continue
		}
		for _, s := range w.side {
			s.tick(w.now)
			if d := s.m.Deadline(); before == w.now && !d.IsNever() && d <= w.now {
				w.t.Fatalf("tick at %v leaves the same deadline", time.Duration(w.now))
			}
		}
	}
	w.now = end
}

// say sends a packet from a side to the other.
func (w *world) say(from int, text string) { w.side[from].write(w.now, w.pub[1-from], []byte(text)) }

// heard reports whether the last thing that a side received is text, and fails if not.
func (w *world) heard(side int, text string) {
	w.t.Helper()
	got := w.side[side].got
	if len(got) == 0 {
		w.t.Fatalf("side %d heard nothing, want %q", side, text)
	}
	if last := got[len(got)-1]; string(last[:min(len(last), len(text))]) != text {
		w.t.Fatalf("side %d heard %q, want %q", side, last, text)
	}
}

// talk makes both sides exchange a packet, and fails if they cannot within d.
func (w *world) talk(d time.Duration) {
	w.t.Helper()
	w.talks++
	for from := range w.side {
		text := fmt.Sprintf("packet %d of side %d", w.talks, from)
		w.say(from, text)
		w.run(d)
		w.heard(1-from, text)
	}
}

func (w *world) status(side int) Status {
	w.t.Helper()
	s, ok := w.side[side].m.Status(w.pub[1-side])
	if !ok {
		w.t.Fatalf("side %d does not know the other", side)
	}
	return s
}

// arrival is a message that comes to a side.
type arrival struct {
	to   int
	data []byte
}

// stampOf makes payloads that tell when they were sent.
func stampOf(at mono.Time) string { return string(binary.BigEndian.AppendUint64(nil, uint64(at))) }
