package quantum

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sim/timeline"
	"github.com/cvlan/cvlan/proto/disco"
)

// world is two machines and what lies between them, in virtual time. Side 0 has the smaller key: it insists.
type world struct {
	t     testing.TB
	now   mono.Time
	rnd   *rand.Rand
	side  [2]*side
	queue timeline.Queue[arrival]

	latency, spread time.Duration
	loss            float64
	// pass may drop or record what a side sends; nil: everything passes.
	pass func(from int, msg *disco.Message) bool
	past []arrival // everything that was sent
}

// side is one machine with its shell, which keeps what it was told.
type side struct {
	m      *Machine
	out    Out
	public key.WGPublic
	peer   key.WGPublic
	keys   Keys
	events [EventGaveUp + 1]int
	sent   [stepLost + 1]int // datagrams
	first  mono.Time         // when it was first told that it may begin
}

func newWorld(t testing.TB, seed uint64) *world {
	t.Helper()
	w := &world{t: t, now: 1, rnd: rand.New(rand.NewPCG(seed, 7)), latency: 20 * time.Millisecond}
	keys := [2]key.WGPublic{{1}, {2}}
	for i := range w.side {
		w.side[i] = &side{public: keys[i], peer: keys[1-i]}
		w.boot(i)
	}
	return w
}

// boot starts a side, or starts it anew without its keys.
func (w *world) boot(i int) {
	s := w.side[i]
	*s = side{public: s.public, peer: s.peer, sent: s.sent}
	s.m = New(s.public, rand.NewChaCha8([32]byte{byte(w.rnd.Uint32()), byte(w.rnd.Uint32()), byte(i)}))
	if err := s.m.Put(s.peer); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(i int) bool {
	s := w.side[i]
	ok := s.m.Want(w.now, s.peer, &s.out)
	w.flush(i)
	return ok
}

func (w *world) mismatch(i int) {
	s := w.side[i]
	s.m.Mismatch(w.now, s.peer, &s.out)
	w.flush(i)
}

func (w *world) flush(i int) {
	s := w.side[i]
	for _, e := range s.out.Events {
		s.events[e.Kind]++
		switch e.Kind {
		case EventKeys:
			s.keys = e.Keys
		case EventShared:
			if s.first.IsNever() {
				s.first = w.now
			}
		}
	}
	for _, tr := range s.out.Transmits {
		w.carry(i, tr.Message)
	}
	s.out.Reset()
	if s.keys != s.m.Keys(s.peer) {
		w.t.Fatal("a change of keys was not told")
	}
}

func (w *world) carry(from int, msg disco.Message) {
	w.side[from].sent[msg.Step]++
	msg.Data = append([]byte(nil), msg.Data...)
	if w.pass != nil && !w.pass(from, &msg) {
		return
	}
	a, at := arrival{1 - from, msg}, w.now.Add(w.latency)
	if w.spread > 0 {
		at = at.Add(time.Duration(w.rnd.Int64N(int64(w.spread))))
	}
	w.past = append(w.past, a)
	if w.rnd.Float64() >= w.loss {
		w.queue.Put(at, a)
	}
}

// again brings something that was sent before once more.
func (w *world) again(a arrival) { w.queue.Put(w.now, a) }

// run lets d go by, and calls each after every step.
func (w *world) run(d time.Duration, each ...func()) {
	end := w.now.Add(d)
	for {
		at := w.queue.Next()
		for _, s := range w.side {
			at = mono.Earlier(at, s.m.Deadline())
		}
		if at.IsNever() || at > end {
			break
		}
		w.now = max(w.now, at)
		if a, ok := w.queue.Take(w.now); ok {
			s := w.side[a.to]
			s.m.Part(w.now, s.peer, &a.msg, &s.out)
			w.flush(a.to)
		}
		for i, s := range w.side {
			s.m.Tick(w.now, &s.out)
			w.flush(i)
			if d := s.m.Deadline(); !d.IsNever() && d <= w.now {
				w.t.Fatalf("tick leaves deadline %v at %v", time.Duration(d), time.Duration(w.now))
			}
		}
		for _, f := range each {
			f()
		}
	}
	w.now = end
}

// opens reports whether a handshake that side i begins would work now.
func (w *world) opens(i int) bool {
	mine, theirs := w.side[i].keys, w.side[1-i].keys
	return !theirs.Current.IsZero() && (mine.Current == theirs.Current || mine.Other == theirs.Current)
}

// agree fails unless both have the same key.
func (w *world) agree() {
	w.t.Helper()
	for i, s := range w.side {
		st, _ := s.m.Status(s.peer)
		if !st.Shared || s.keys.Current.IsZero() || !w.opens(i) {
			w.t.Fatalf("side %d: %+v; a handshake works: %v", i, st, w.opens(i))
		}
	}
	if w.side[0].keys.Current != w.side[1].keys.Current {
		w.t.Fatal("the keys differ")
	}
}

// arrival is a message that comes to a side.
type arrival struct {
	to  int
	msg disco.Message
}
