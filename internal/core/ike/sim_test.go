package ike

import (
	"flag"
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// realEvery is the seeds from one world with real key exchanges to the next; in all others they are cheap ones, and the rest is real.
const realEvery = 25

var seeds = flag.Int("seeds", 2000, "worlds to simulate")

// Two machines that lose, repeat and overtake messages, and want everything at once, agree when it is quiet again.
func TestSimulation(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 100)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is little to keep
	var happened [EventFault + 1]atomic.Int64
	var worlds atomic.Int64
	t.Run("seed", func(t *testing.T) {
		for seed := range n {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				w := simulate(t, uint64(seed))
				worlds.Add(1)
				for _, s := range w.side {
					for _, e := range s.events {
						happened[e.Kind].Add(1)
					}
				}
			})
		}
	})
	for k := EventUp; k <= EventFault; k++ {
		t.Log(k, happened[k].Load())
		if k != EventFault && happened[k].Load() == 0 && int(worlds.Load()) == *seeds {
			t.Errorf("in %d worlds %q has never happened", n, k)
		}
	}
}

// simulate is a world whose seed says which of its troubles it has.
func simulate(t *testing.T, seed uint64) *world {
	w := newWorld(t, seed, func(n int, c *Config, p *Peer) { simulated(seed, n, c, p) })
	if seed%realEvery != 0 {
		for _, s := range w.side {
			s.m.cheaply(w.rnd)
		}
	}
	w.link.loss = []float64{0, 0.1, 0.3, 0.5}[seed%4]
	w.link.dup = []float64{0, 0.2}[seed/4%2]
	w.link.reorder = []time.Duration{0, 50 * time.Millisecond, 3 * time.Second}[seed/8%3]
	w.link.echo = []float64{0, 0, 0, 0.1}[seed/24%4]
	if seed%9 == 4 {
		w.nat = newTranslator()
		w.side[1].follows = seed%2 == 0
	}
	w.honest, w.tame = true, w.link.loss < 0.2 && w.nat == nil && seed%7 != 6 && seed%8 != 5
	w.side[0].initiate()
	for range 60 {
		w.run(time.Duration(w.rnd.Int64N(int64(20 * time.Second))))
		w.bounded()
		for range 1 + w.rnd.IntN(3) {
			w.side[w.rnd.IntN(2)].act(w.rnd.IntN(15))
		}
		w.disturb(seed)
	}
	w.calm()
	w.run(10 * time.Minute)
	w.quietly()
	return w
}

// simulated is what a seed says of either side.
func simulated(seed uint64, n int, c *Config, p *Peer) {
	c.Liveness, c.Lifetime = 20*time.Second, 3*time.Minute
	p.Unique = true
	if seed%6 == 5 { // proofs end
		c.Reauthenticate = 4 * time.Minute
	}
	if seed%5 == 3 { // Child SAs have additional key exchanges too
		for i := range c.Profile.ESP {
			c.Profile.ESP[i].Transforms = append(c.Profile.ESP[i].Transforms, msg.Transform{Type: msg.AdditionalKE1, ID: msg.KEMLKEM768})
		}
		c.Profile.ESP = c.Profile.ESP[1:]
	}
	if seed%10 == 7 { // not all traffic is allowed
		p.Child = &Child{Ours: []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("10.0.0.0/9"))}, Theirs: everything()}
	}
	if seed%5 == 4 { // each guesses wrong at first
		groups([][]msg.TransformID{{msg.KECurve25519, msg.KEP256}, {msg.KEP384, msg.KEP256}}[n]...)(c)
	}
}

// disturb does, now and then, what neither side has asked for.
func (w *world) disturb(seed uint64) {
	one := w.side[w.rnd.IntN(2)]
	if seed%7 == 6 && w.rnd.IntN(15) == 0 { // it knows nothing any more
		w.restart(one)
	}
	if w.rnd.IntN(6) == 0 {
		w.nat.rebind()
	}
	if seed%8 == 5 && w.rnd.IntN(8) == 0 { // its clock jumps, mostly ahead, as after sleep
		one.skew += []time.Duration{-30 * time.Second, time.Second, time.Minute, 5 * time.Minute, time.Hour}[w.rnd.IntN(5)]
	}
}

// calm ends all trouble: from now on nothing is lost, and nothing grows old.
func (w *world) calm() {
	w.link = link{delay: 10 * time.Millisecond}
	for _, s := range w.side {
		for _, x := range s.m.sessions {
			x.rekeyAt = s.clock().Add(time.Hour)
			x.proofEnds, x.reauthAt = mono.Never, mono.Never
		}
		s.m.cfg.Lifetime, s.m.cfg.Reauthenticate = 24*time.Hour, 0
	}
}

// elsewhere is traffic that not every world allows.
func elsewhere() Child {
	some := []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("192.168.0.0/16"))}
	return Child{Ours: some, Theirs: some}
}

// act does one of the things that an owner may.
func (s *side) act(what int) {
	now, out := s.clock(), &s.out
	if len(s.up) == 0 {
		if len(s.m.calls) == 0 && what < 7 {
			s.initiate()
		}
		return
	}
	ids := sorted(s.up)
	id := ids[s.w.rnd.IntN(len(ids))]
	spis := sorted(s.live)
	spi := uint32(0)
	if len(spis) > 0 {
		spi = spis[s.w.rnd.IntN(len(spis))]
	}
	switch {
	case what < 4:
		_ = s.m.RekeyChild(now, id, spi, out)
	case what < 6:
		_ = s.m.Rekey(now, id, out)
	case what < 8 && len(s.live) < 6:
		wish := *s.peer.Child
		if s.w.rnd.IntN(4) == 0 {
			wish = elsewhere()
		}
		_ = s.m.CreateChild(now, id, wish, out)
	case what < 10:
		_ = s.m.DeleteChild(now, id, spi, out)
	case what == 10:
		_ = s.m.Probe(now, id, out)
	case what == 11 && s.w.rnd.IntN(4) == 0:
		_ = s.m.Terminate(now, id, out)
	case what == 13:
		path := s.path()
		path.Local = netip.AddrPortFrom(path.Local.Addr(), uint16(4500+s.w.rnd.IntN(3)))
		_ = s.m.Move(now, id, path, out)
	case what == 14 && s.w.rnd.IntN(2) == 0:
		_ = s.m.Reauthenticate(now, id, out)
	case what == 12 && s.w.rnd.IntN(4) == 0 && len(s.m.calls) == 0:
		s.initiate()
	}
	s.flush()
}

func sorted[K ~uint32 | ~uint64, V any](m map[K]V) (keys []K) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// bounded checks what holds at any time.
func (w *world) bounded() {
	for _, s := range w.side {
		if n := s.m.weight(); n > 64<<10 {
			w.t.Fatalf("%s keeps %d bytes\n%s", s.name, n, w.story())
		}
		if len(s.m.sas) > 40 || len(s.m.sessions) > 8 || len(s.live) > 40 {
			w.t.Fatalf("%s has %d IKE SAs, %d sessions, %d Child SAs\n%s", s.name, len(s.m.sas), len(s.m.sessions), len(s.live), w.story())
		}
		for _, x := range s.m.sessions {
			if len(x.queue)+len(x.later) > 2*maxQueue {
				w.t.Fatalf("%s has %d wishes", s.name, len(x.queue))
			}
		}
	}
}

// quietly checks what holds when nothing has happened for a while.
func (w *world) quietly() {
	w.t.Helper()
	a, b := w.side[0], w.side[1]
	if len(a.up) > 1 || len(a.up) != len(b.up) {
		w.t.Fatalf("%d and %d sessions after quiet\n%s", len(a.up), len(b.up), w.story())
	}
	if len(a.up) == 1 {
		w.agree(len(a.live))
	}
	for _, s := range w.side {
		if len(s.up) == 0 && len(s.m.sas)+len(s.live)+len(s.spis) > 0 {
			w.t.Errorf("%s remembers what is over: %d IKE SAs, %d Child SAs, %d SPIs\n%s", s.name, len(s.m.sas), len(s.live), len(s.spis), w.story())
		}
		if d := s.m.Deadline(); !d.IsNever() && d < s.clock() {
			w.t.Errorf("%s is late", s.name)
		}
		family := map[uint32]uint32{} // SPI: the first of those that replaced each other
		alive := map[uint32]uint32{}
		for _, e := range s.events {
			if e.Kind != EventChildUp {
				continue
			}
			root := e.Child.In
			if r, ok := family[e.Child.Replaces]; ok {
				root = r
			}
			family[e.Child.In] = root
			if _, lives := s.live[e.Child.In]; !lives {
				continue
			}
			if other, two := alive[root]; two {
				w.t.Errorf("%s has two Child SAs of one role after quiet: %x and %x\n%s", s.name, other, e.Child.In, w.story())
			}
			alive[root] = e.Child.In
		}
	}
}

func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	story := func() string {
		w := newWorld(t, 5, nil)
		w.link.loss, w.link.reorder = 0.2, time.Second
		w.side[0].initiate()
		w.run(time.Minute)
		var kinds []EventKind
		for _, s := range w.side {
			for _, e := range s.events {
				kinds = append(kinds, e.Kind)
			}
		}
		return fmt.Sprint(w.sent, kinds)
	}
	if one, two := story(), story(); one != two {
		t.Errorf("%s, and then %s", one, two)
	}
}

// A clock that jumps ahead ends what is too old, and nothing else goes wrong.
func TestClockJumps(t *testing.T) {
	w := met(t, 1, func(_ int, c *Config, _ *Peer) { c.Liveness = 20 * time.Second })
	w.side[0].rekeyChild()
	w.now = w.now.Add(48 * time.Hour)
	w.run(time.Minute)
	w.settled()
	w.agree(1)
	w.now = mono.Time(1) // backwards: the machine takes it for the last instant
	w.side[0].m.Tick(w.now, &w.side[0].out)
	w.side[0].flush()
}

// held checks that every SPI is in use, or somebody's.
func (s *side) held() {
	wanted := map[uint32]bool{}
	note := func(t task) {
		if f, ok := t.(*followup); ok {
			t = f.of
		}
		if c, ok := t.(*createChild); ok {
			wanted[c.in] = true
		}
	}
	for _, one := range s.m.sas {
		if one.pending != nil {
			note(one.pending.task)
		}
		if one.opening != nil && one.opening.child != nil {
			note(one.opening.child)
		}
		if x := one.session; x != nil {
			if x.half != nil {
				wanted[x.half.spi] = true
			}
			for _, t := range slices.Concat(x.queue, x.later) {
				note(t)
			}
		}
	}
	for spi := range s.spis {
		if _, lives := s.live[spi]; !lives && !wanted[spi] {
			s.w.t.Fatalf("%s has lost an SPI: %x\n%s", s.name, spi, s.w.story())
		}
	}
}
