package ike

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// link is what happens to messages on their way.
type link struct {
	loss, dup      float64
	echo           float64 // of old messages that come again, for each new one
	delay, reorder time.Duration
}

// world is two machines, a and b, and the way between them, in virtual time.
type world struct {
	t      testing.TB
	now    mono.Time
	rnd    *rand.Rand
	link   link
	side   [2]*side
	flight []flying
	past   []flying // see link.echo
	sent   int
	// watch, if it is there, sees every message before it flies, and says whether it may.
	watch   func(from int, data []byte) bool
	trace   []told
	lawless bool // somebody hostile, or with other ciphers, takes part
	honest  bool // both sides mean well, and say nothing that makes no sense
	tame    bool // and whatever is sent arrives sooner or later, and nobody forgets
	lanes   map[laneKey]*lane
	nat     *translator     // before the first side; nil: there is none
	lost    func(Path) bool // what is sent by a path does not arrive; nil: it may
}

// told is a line of the story, which is written only if somebody wants to read it.
type told struct {
	at     mono.Time
	format string
	args   []any
}

type flying struct {
	at   mono.Time
	to   int
	path Path
	data []byte
}

// side is one machine with its surroundings.
type side struct {
	w         *world
	n         int
	name      string
	skew      time.Duration   // of its clock
	keys      map[string]bool // of Child SAs, ever
	addr      netip.AddrPort
	m         *Machine
	out       Out
	cfg       Config
	peer      Peer // of the other
	events    []Event
	live      map[uint32]ChildSA // by SPI that is received on
	spis      map[uint32]bool    // reserved, and not given back
	next      uint32
	up        map[ID]bool
	exhausted bool // there are no SPIs left
	refuse    bool // Directory knows nobody
	mixed     bool // and now it tells another
	follows   bool // its owner sends to wherever the peer was heard from
	judge     func(remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error)
}

var secret = []byte("a secret that two sides share")

func fqdn(name string) msg.Identity { return msg.Identity{Kind: msg.IDFQDN, Data: []byte(name)} }

func everything() []msg.Selector {
	return []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("0.0.0.0/0")), msg.PrefixSelector(netip.MustParsePrefix("::/0"))}
}

func newWorld(t testing.TB, seed uint64, change func(n int, c *Config, p *Peer)) *world {
	t.Helper()
	w := &world{t: t, now: 1, rnd: rand.New(rand.NewPCG(seed, 7)), link: link{delay: 10 * time.Millisecond}}
	for n := range w.side {
		s := &side{w: w, n: n, name: string(rune('a' + n)), live: map[uint32]ChildSA{}, spis: map[uint32]bool{}, up: map[ID]bool{}, keys: map[string]bool{}}
		s.next = uint32(0x30000000 + n<<16)
		s.addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)}), 4500)
		profile, err := crypt.NewProfile(crypt.Modern)
		if err != nil {
			t.Fatal(err)
		}
		s.cfg = Config{Profile: profile, Directory: s, SPIs: s}
		other := string(rune('a' + 1 - n))
		s.peer = Peer{
			Name: other, Local: fqdn(s.name + ".example"), Remote: fqdn(other + ".example"), Credential: crypt.Credential{Shared: secret},
			Child: &Child{Ours: everything(), Theirs: everything()},
		}
		if change != nil {
			change(n, &s.cfg, &s.peer)
		}
		if s.m, err = New(s.cfg, rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(n), 1})); err != nil {
			t.Fatal(err)
		}
		w.side[n] = s
	}
	return w
}

func (s *side) other() *side { return s.w.side[1-s.n] }

// clock is what its clock says, which began at 1.
func (s *side) clock() mono.Time { return max(1, s.w.now.Add(s.skew)) }

func (s *side) path() Path { return Path{Local: s.addr, Remote: s.other().addr} }

func (s *side) Peer(remote, _ msg.Identity) (Peer, bool) {
	if s.mixed {
		p := s.peer
		p.Remote = fqdn("c.example")
		return p, true
	}
	return s.peer, !s.refuse && bytes.Equal(remote.Data, s.peer.Remote.Data)
}

func (s *side) Evidence(p Peer, remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error) {
	if s.judge != nil {
		return s.judge(remote, certs)
	}
	if len(certs) > 0 {
		return crypt.Evidence{}, errors.New("certificates were not expected")
	}
	return crypt.Evidence{Shared: secret}, nil
}

func (s *side) Reserve() (uint32, error) {
	if s.exhausted {
		return 0, errExhausted
	}
	s.next++
	s.spis[s.next] = true
	return s.next, nil
}

func (s *side) Release(spi uint32) {
	if !s.spis[spi] {
		s.w.t.Errorf("%s releases an SPI that is not reserved: %x", s.name, spi)
	}
	delete(s.spis, spi)
}

func (s *side) initiate() ID {
	s.w.t.Helper()
	id, err := s.m.Initiate(s.clock(), s.peer, s.path(), &s.out)
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.flush()
	return id
}

// do calls the machine, and fails the test if it minds.
func (s *side) do(f func(now mono.Time, id ID, out *Out) error) {
	s.w.t.Helper()
	if err := f(s.clock(), s.id(), &s.out); err != nil {
		s.w.t.Fatalf("%s: %v\n%s", s.name, err, s.w.story())
	}
	s.flush()
}

// id is the session of a side that has one.
func (s *side) id() ID {
	for id := range s.up {
		return id
	}
	return 0
}

// child is the SPI of the only Child SA of a side.
func (s *side) child() uint32 {
	s.w.t.Helper()
	if len(s.live) != 1 {
		s.w.t.Fatalf("%s has %d Child SAs\n%s", s.name, len(s.live), s.w.story())
	}
	for spi := range s.live {
		return spi
	}
	return 0
}

// flush takes what the last call wants done.
func (s *side) flush() {
	for _, e := range s.out.Events {
		s.note(e)
	}
	for _, tr := range s.out.Transmits {
		s.w.send(s.n, tr)
	}
	s.out.Reset()
}

func (s *side) note(e Event) {
	w := s.w
	e.Child.KeyIn, e.Child.KeyOut = bytes.Clone(e.Child.KeyIn), bytes.Clone(e.Child.KeyOut)
	s.events = append(s.events, e)
	w.tell("%s %s %d %s %s %s in %x out %x for %x", s.name, e.Kind, e.ID, e.Reason, e.Notify, e.Detail, e.Child.In, e.Child.Out, e.Child.Replaces)
	switch e.Kind {
	case EventUp:
		s.up[e.ID] = true
	case EventDown:
		was := s.up[e.ID] // an attempt may come to nothing: an old answer to its first message spoils it
		delete(s.up, e.ID)
		if w.honest && (e.Reason == Unusable || e.Notify == msg.InvalidKE) || w.tame && was && (e.Reason == NoAnswer || e.Reason == NotFound) {
			w.t.Errorf("%s gives up for no good reason: %s\n%s", s.name, e.Reason, w.story())
		}
	case EventFault:
		if w.lawless || s.exhausted {
			return
		}
		w.t.Errorf("%s met a bug: %s\n%s", s.name, e.Detail, w.story())
	case EventHeard:
		if s.follows && e.Reason == NoReason {
			_ = s.m.SetPath(e.ID, e.Path)
		}
	case EventChildUp:
		if !s.up[e.ID] {
			w.t.Errorf("%s has a Child SA without a proved peer\n%s", s.name, w.story())
		}
		if _, twice := s.live[e.Child.In]; twice || !s.spis[e.Child.In] {
			w.t.Errorf("%s: SPI %x is used twice, or is none of ours\n%s", s.name, e.Child.In, w.story())
		}
		for _, c := range s.live {
			if c.Out == e.Child.Out && !w.lawless {
				w.t.Errorf("%s: SPI %x is the peer's twice\n%s", s.name, c.Out, w.story())
			}
		}
		s.live[e.Child.In] = e.Child
		for _, key := range [][]byte{e.Child.KeyIn, e.Child.KeyOut} {
			if s.keys[string(key)] {
				w.t.Errorf("%s has the same keys twice\n%s", s.name, w.story())
			}
			s.keys[string(key)] = true
		}
	case EventChildDown, EventChildGone:
		if _, there := s.live[e.Child.In]; !there {
			w.t.Errorf("%s loses a Child SA that it has not: %x\n%s", s.name, e.Child.In, w.story())
		}
		delete(s.live, e.Child.In)
		s.Release(e.Child.In)
	}
}

func (w *world) tell(format string, args ...any) {
	w.trace = append(w.trace, told{w.now, format, args})
	if len(w.trace) > 4000 {
		w.trace = w.trace[2000:]
	}
}

// story is what happened.
func (w *world) story() string {
	var b bytes.Buffer
	for _, line := range w.trace {
		fmt.Fprintf(&b, "%8.3f %s\n", time.Duration(line.at).Seconds(), fmt.Sprintf(line.format, line.args...))
	}
	return b.String()
}

func (w *world) send(from int, tr Transmit) {
	m, err := msg.Parse(tr.Data)
	if err != nil {
		w.t.Fatalf("%s sends what is no message: %v", w.side[from].name, err)
	}
	w.sent++
	w.tell("%s -> %s %d flags %x %s (%d bytes)", w.side[from].name, m.Exchange, m.ID, m.Flags, m.SPIi, len(tr.Data))
	w.lawful(from, m, tr.Data)
	if w.watch != nil && !w.watch(from, tr.Data) {
		w.tell("  lost by intent")
		return
	}
	if w.lost != nil && w.lost(tr.Path) {
		w.tell("  nobody hears it at %v", tr.Path.Remote)
		return
	}
	if w.rnd.Float64() < w.link.loss {
		w.tell("  lost")
		return
	}
	for copies := 1; copies > 0; copies-- {
		if w.rnd.Float64() < w.link.dup {
			copies++
		}
		at := w.now.Add(w.link.delay)
		if w.link.reorder > 0 {
			at = at.Add(time.Duration(w.rnd.Int64N(int64(w.link.reorder))))
		}
		path, ok := w.nat.translate(from, tr.Path)
		if !ok {
			w.tell("  nobody has that address")
			continue
		}
		w.flight = append(w.flight, flying{at, 1 - from, path, tr.Data})
		w.echo(w.flight[len(w.flight)-1])
	}
}

// echo remembers a message, and now and then lets one of long ago come again.
func (w *world) echo(f flying) {
	if w.link.echo == 0 {
		return
	}
	if w.rnd.Float64() < w.link.echo && len(w.past) > 0 {
		old := w.past[w.rnd.IntN(len(w.past))]
		old.at = f.at
		w.tell("  and an old one comes again")
		w.flight = append(w.flight, old)
	}
	if len(w.past) < 200 {
		w.past = append(w.past, f)
	} else {
		w.past[w.rnd.IntN(len(w.past))] = f
	}
}

// step does what comes next; false: nothing does before end.
func (w *world) step(end mono.Time) bool {
	next := end
	first := -1
	for i, f := range w.flight {
		if f.at < next {
			next, first = f.at, i
		}
	}
	var due *side
	for _, s := range w.side {
		if d := s.m.Deadline(); !d.IsNever() && d.Add(-s.skew) < next {
			next, due = max(d.Add(-s.skew), w.now), s
		}
	}
	if due == nil && first < 0 {
		w.now = end
		return false
	}
	w.now = max(w.now, next)
	if due != nil {
		due.m.Tick(due.clock(), &due.out)
		due.flush()
		return true
	}
	f := w.flight[first]
	w.flight = slices.Delete(w.flight, first, first+1)
	to := w.side[f.to]
	to.m.Datagram(to.clock(), f.path, bytes.Clone(f.data), &to.out)
	to.flush()
	return true
}

func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for steps := 0; w.step(end); steps++ {
		w.side[0].held()
		w.side[1].held()
		w.still()
		if steps > 200_000 {
			w.t.Fatalf("nothing ends\n%s", w.story())
		}
	}
}

// agree checks that both sides have the same Child SAs, n of them, and one session each.
func (w *world) agree(n int) {
	w.t.Helper()
	a, b := w.side[0], w.side[1]
	if len(a.up) != 1 || len(b.up) != 1 {
		w.t.Fatalf("%d and %d sessions\n%s", len(a.up), len(b.up), w.story())
	}
	if len(a.live) != n || len(b.live) != n {
		for _, s := range w.side {
			for _, c := range s.live {
				w.tell("%s has in %x out %x", s.name, c.In, c.Out)
			}
		}
		w.t.Fatalf("%d and %d Child SAs, want %d\n%s", len(a.live), len(b.live), n, w.story())
	}
	for _, c := range a.live {
		d, ok := b.live[c.Out]
		if !ok || d.Out != c.In || !bytes.Equal(c.KeyIn, d.KeyOut) || !bytes.Equal(c.KeyOut, d.KeyIn) || c.Encryption.String() != d.Encryption.String() ||
			c.Extended != d.Extended || !slices.EqualFunc(c.Ours, d.Theirs, same) || !slices.EqualFunc(c.Theirs, d.Ours, same) {
			w.t.Fatalf("the sides disagree on a Child SA: %+v and %+v", c, d)
		}
		if len(c.KeyIn) == 0 || bytes.Equal(c.KeyIn, c.KeyOut) {
			w.t.Fatal("there are no keys")
		}
	}
	for _, s := range w.side {
		if len(s.spis) != n {
			w.t.Errorf("%s has reserved %d SPIs for %d Child SAs\n%s", s.name, len(s.spis), n, w.story())
		}
		if len(s.m.sas) != 1 {
			w.t.Errorf("%s has %d IKE SAs after quiet\n%s", s.name, len(s.m.sas), w.story())
		}
		if len(s.m.halves)+len(s.m.calls)+len(s.m.sources) > 0 {
			w.t.Errorf("%s remembers what is over", s.name)
		}
	}
}

// count is how many events of a kind a side had.
func (s *side) count(k EventKind) (n int) {
	for _, e := range s.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// last is the last event of a kind.
func (s *side) last(k EventKind) Event {
	for _, e := range slices.Backward(s.events) {
		if e.Kind == k {
			return e
		}
	}
	return Event{}
}

// settled runs until what was replaced is gone.
func (w *world) settled() { w.run(replacedFor + time.Minute) }
