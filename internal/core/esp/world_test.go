package esp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// world is two machines and what is under way between them, in virtual time.
type world struct {
	*testing.T
	now  mono.Time
	rnd  *rand.Rand
	side [2]*side
	wire []flight

	delay, jitter time.Duration
	loss, twice   float64 // of 1
}

// flight is a datagram under way.
type flight struct {
	at   mono.Time
	to   int
	data []byte
}

// side is one machine and what an engine keeps of it.
type side struct {
	m       *Machine
	out     Out
	pairs   map[SPI]*Pair // that receive
	sealer  *Pair
	events  []Event
	taken   map[int]int // numbered packets that have arrived, how often
	dropped [drops]int
	lost    int // packets that nothing sealed, or no pair opened
}

// names are the peers: the other side of each.
var names = [2]key.WGPublic{{2}, {1}}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{T: t, now: mono.Time(time.Hour), rnd: rand.New(rand.NewPCG(seed, 1)), delay: 20 * time.Millisecond}
	for i := range w.side {
		w.side[i] = &side{m: New(rand.NewChaCha8([32]byte{byte(seed), byte(i)})), pairs: map[SPI]*Pair{}, taken: map[int]int{}}
	}
	return w
}

// act does what a machine wants done.
func (w *world) act(n int) {
	s := w.side[n]
	for _, e := range s.out.Events {
		switch e.Kind {
		case EventInstalled:
			if s.pairs[e.Pair.Local()] != nil {
				w.Fatalf("%v is installed twice", e.Pair.Local())
			}
			s.pairs[e.Pair.Local()] = e.Pair
		case EventCurrent:
			if s.pairs[e.Pair.Local()] != e.Pair {
				w.Fatalf("%v seals and is not installed", e.Pair.Local())
			}
			s.sealer = e.Pair
		case EventRetired:
			if s.pairs[e.Pair.Local()] != e.Pair {
				w.Fatalf("%v is retired and is not installed", e.Pair.Local())
			}
			delete(s.pairs, e.Pair.Local())
			if s.sealer == e.Pair {
				s.sealer = nil
			}
		}
		s.events = append(s.events, e)
	}
	for _, m := range s.out.Transmits {
		w.send(1-n, m.Data)
	}
	s.out.Reset()
}

func (w *world) send(to int, data []byte) {
	if w.rnd.Float64() < w.loss {
		return
	}
	for range 1 + min(1, int(w.twice+w.rnd.Float64())) {
		d := w.delay
		if w.jitter > 0 {
			d += time.Duration(w.rnd.Int64N(int64(w.jitter)))
		}
		w.wire = append(w.wire, flight{w.now.Add(d), to, slices.Clone(data)})
	}
}

// says sends a numbered packet.
func (w *world) says(n, number int) {
	s := w.side[n]
	if s.sealer != nil {
		if seq, ok := s.sealer.Reserve(w.now, 1); ok {
			p := sample4(40)
			p[36], p[37], p[38], p[39] = byte(number>>24), byte(number>>16), byte(number>>8), byte(number)
			w.send(1-n, sealed(s.sealer, seq, p))
			if s.sealer.Sent(w.now) {
				s.m.Attend(w.now, s.sealer, &s.out)
				w.act(n)
			}
			return
		}
	}
	s.lost++
}

// arrive opens a datagram.
func (w *world) arrive(f flight) {
	s := w.side[f.to]
	p := s.pairs[SPI(f.data[0])<<24|SPI(f.data[1])<<16|SPI(f.data[2])<<8|SPI(f.data[3])]
	if p == nil {
		s.lost++
		return
	}
	got, why := p.Open(w.now, f.data)
	if why != Taken {
		s.dropped[why]++
		return
	}
	if len(got) == 40 {
		s.taken[int(got[36])<<24|int(got[37])<<16|int(got[38])<<8|int(got[39])]++
	}
	if p.Received(w.now, 1) {
		s.m.Attend(w.now, p, &s.out)
		w.act(f.to)
	}
}

// pass lets time go by, tick by tick.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); ; {
		next, who := end, -1
		for i, s := range w.side {
			if at := s.m.Deadline(); !at.IsNever() && (at < next || at == next && who < 0) {
				next, who = max(at, w.now), i
			}
		}
		first := -1
		for i := range w.wire {
			if w.wire[i].at <= next && (first < 0 || w.wire[i].at < w.wire[first].at) {
				first = i
			}
		}
		switch {
		case first >= 0:
			f := w.wire[first]
			w.wire = slices.Delete(w.wire, first, first+1)
			w.now = max(w.now, f.at)
			w.arrive(f)
		case who >= 0:
			w.now = next
			w.side[who].m.Tick(w.now, &w.side[who].out)
			w.act(who)
			if at := w.side[who].m.Deadline(); !at.IsNever() && at <= w.now {
				w.Fatalf("after its tick a machine is still due: %v of %v", at, w.now)
			}
		default:
			w.now = end
			return
		}
	}
}

// agree makes a pair, as IKE would: side n asks, and its own pair comes a round trip after the other's.
func (w *world) agree(n int, change ...func(*Keys)) (asked, answered SPI) {
	w.Helper()
	k := Keys{Suite: AES128GCM, ESN: true}
	for _, f := range change {
		f(&k)
	}
	x, y := w.spi(n), w.spi(1-n)
	there, here := k, k
	fill := byte(w.rnd.Uint32())
	here.Local, here.Remote, here.In, here.Out = x, y, material(k.Suite, fill), material(k.Suite, fill+100)
	there.Local, there.Remote, there.In, there.Out, there.Waits = y, x, here.Out, here.In, true
	if s := w.side[1-n].sealer; s != nil {
		there.Replaces = s.Local()
	}
	w.pass(w.delay)
	w.install(1-n, there)
	w.pass(w.delay)
	w.install(n, here)
	return x, y
}

func (w *world) spi(n int) SPI {
	w.Helper()
	x, err := w.side[n].m.SPI()
	if err != nil {
		w.Fatal(err)
	}
	return x
}

func (w *world) install(n int, k Keys) {
	w.Helper()
	if err := w.side[n].m.Install(w.now, names[n], k, &w.side[n].out); err != nil {
		w.Fatal(err)
	}
	w.act(n)
}

// delete ends a pair on both sides, a delay apart.
func (w *world) delete(n int, mine, theirs SPI) {
	w.side[n].m.Delete(w.now, mine, &w.side[n].out)
	w.act(n)
	w.pass(w.delay)
	w.side[1-n].m.Delete(w.now, theirs, &w.side[1-n].out)
	w.act(1 - n)
}

// said returns how often a side was told something.
func (w *world) said(n int, k EventKind) (times int) {
	for _, e := range w.side[n].events {
		if e.Kind == k {
			times++
		}
	}
	return times
}
