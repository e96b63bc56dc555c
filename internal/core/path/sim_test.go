package path

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sim/natmodel"
	"github.com/cvlan/cvlan/internal/sim/timeline"
	"github.com/cvlan/cvlan/proto/disco"
)

// sim is two nodes behind NATs, relays and STUN servers, in virtual time.
type sim struct {
	t      testing.TB
	rnd    *rand.Rand
	now    mono.Time
	events timeline.Queue[func()]
	sends  int // messages of Finders
	nodes  [2]*node
	relays [3]bool     // by slot: alive
	deaf   [3]bool     // by slot: takes nothing of node 0
	lands  [2][3]uint8 // by sender and slot: through which relay of the region it comes; 0: the same
	loss   float64
	cut    [2]bool              // from node i: nothing passes directly
	skew   time.Duration        // by so much longer a message of node 0 takes through relays
	limit  int                  // datagrams longer than that do not pass directly; 0: all do
	limits [2]int               // the same, from node i
	narrow int                  // the same of relays, their header not counted
	asked  int                  // pings through relays
	padded int                  // pings that are longer than need be
	sentTo map[netip.Addr]int   // probes that left for an address
	spam   func(netip.AddrPort) // sees where every direct datagram goes
}

// node is one side. To it the peer is number 0.
type node struct {
	*sim
	side    int
	f       *Finder
	box     *natmodel.Box
	sockets map[uint16]netip.AddrPort // by number: inside
	fresh   uint16
	using   Way
	delay   time.Duration // from the node to the middle of the world
	out     Decisions
	talks   bool
	every   time.Duration // it talks; 0: 100 ms
	echoes  bool          // it answers what it gets
	said    int
	got     []arrival
	history []string
	size    int // what the MTU event says

	dataSize int // of the datagrams of talk

	lifetime time.Duration // of our NAT's mappings, as measured; 0: it was not
}

type arrival struct {
	at  mono.Time
	way Way
}

var (
	relayAt = [3]netip.AddrPort{{}, netip.MustParseAddrPort("203.0.113.31:443"), netip.MustParseAddrPort("203.0.113.32:443")}
	stunAt  = [2]netip.AddrPort{netip.MustParseAddrPort("203.0.113.10:3478"), netip.MustParseAddrPort("203.0.113.11:3478")}
)

type source struct{ *rand.Rand }

func (s source) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.Uint32())
	}
	return len(b), nil
}

func newSim(t testing.TB, seed uint64, kinds ...string) *sim {
	s := &sim{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), now: mono.Time(time.Second), relays: [3]bool{false, true, true}, sentTo: map[netip.Addr]int{}}
	for i, kind := range kinds {
		c, err := natmodel.Kind(kind)
		if err != nil {
			t.Fatal(err)
		}
		n := &node{sim: s, side: i, sockets: map[uint16]netip.AddrPort{}, delay: time.Duration(2+s.rnd.IntN(28)) * time.Millisecond}
		outside := netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i)})
		inside := netip.AddrFrom4([4]byte{192, 168, byte(1 + i), 2})
		if c.Routed {
			inside = outside
		}
		n.box = natmodel.New(c, outside, s.rnd)
		n.sockets[0] = netip.AddrPortFrom(inside, 41641)
		n.f = NewFinder(Config{Guess: true}, uint64(1+i), source{s.rnd})
		s.nodes[i] = n
	}
	for _, n := range s.nodes {
		n.f.SetPeer(s.now, 0, Known{Relays: [4]uint8{1, 2}}, &n.out)
		for slot := range uint8(3) {
			if slot > 0 {
				n.f.Relay(s.now, slot, true, &n.out)
			}
		}
		n.keepRelays()
		n.stun()
		n.flush()
	}
	return s
}

func (s *sim) after(d time.Duration, do func()) { s.events.Put(s.now.Add(d), do) }

// run lets time pass; it stops early once done says so.
func (s *sim) run(d time.Duration, done func() bool) bool {
	end := s.now.Add(d)
	for {
		if done != nil && done() {
			return true
		}
		next := end
		if at := s.events.Next(); !at.IsNever() {
			next = min(next, at)
		}
		for _, n := range s.nodes {
			if at := n.f.Deadline(); !at.IsNever() {
				next = min(next, max(at, s.now))
			}
		}
		s.now = next
		for _, n := range s.nodes {
			if at := n.f.Deadline(); !at.IsNever() && at <= s.now {
				n.f.Tick(s.now, &n.out)
				if again := n.f.Deadline(); !again.IsNever() && again <= s.now {
					s.t.Fatalf("node %d wants to be woken again at once", n.side)
				}
				n.flush()
			}
		}
		for do, ok := s.events.Take(s.now); ok; do, ok = s.events.Take(s.now) {
			do()
		}
		if s.now >= end {
			return done != nil && done()
		}
	}
}

// lifetime gives both boxes mappings that live that long.
func (s *sim) lifetime(d time.Duration) {
	for _, n := range s.nodes {
		c := n.box.Config()
		c.Lifetime = d
		n.box = natmodel.New(c, n.box.Outside(), s.rnd)
		n.stun()
	}
}

func (n *node) other() *node { return n.nodes[1-n.side] }

// keepRelays is the traffic with the relays that keeps the main socket's mapping alive.
func (n *node) keepRelays() {
	for _, r := range relayAt[1:] {
		n.box.Out(n.now, n.sockets[0], r)
	}
	n.after(10*time.Second, n.keepRelays)
}

// stun looks up our addresses, one round trip later.
func (n *node) stun() {
	n.after(2*n.delay, func() {
		own := Own{Lifetime: n.lifetime, Candidates: []disco.Candidate{{Addr: n.sockets[0], Kind: disco.Host}}, Prefixes: []netip.Prefix{netip.PrefixFrom(n.sockets[0].Addr(), 24)}}
		a, ok := n.box.Out(n.now, n.sockets[0], stunAt[0])
		b, _ := n.box.Out(n.now, n.sockets[0], stunAt[1])
		switch {
		case !ok:
		case a != b:
			own.Mapping = disco.MappingAddressPortDependent
			own.Candidates = append(own.Candidates, disco.Candidate{Addr: a, Kind: disco.Guessable})
		case a == n.sockets[0]:
			own.Mapping = disco.MappingNone
		default:
			own.Mapping = disco.MappingEndpointIndependent
			own.Candidates = append(own.Candidates, disco.Candidate{Addr: a, Kind: disco.ServerReflexive})
		}
		n.f.Own(n.now, own, &n.out)
		n.flush()
	})
}

// flush does what the Finder decided.
func (n *node) flush() {
	sends, events := slices.Clone(n.out.Sends), slices.Clone(n.out.Events)
	n.out.Reset()
	for _, e := range events {
		n.event(e)
	}
	n.sends += len(sends)
	for _, s := range sends {
		if s.Message.Kind == disco.Ping && s.Way.Relay != 0 {
			n.asked++
		}
		if s.Message.Kind == disco.Ping && s.Message.Size > disco.MinPing {
			n.padded++
		}
		n.transmit(s.Way, s.Message.Size, func(from Way) {
			o := n.other()
			o.f.Message(o.now, 0, from, s.Message, &o.out)
			o.flush()
		})
	}
	if len(n.out.Sends)+len(n.out.Events) > 0 {
		n.flush()
	}
}

func (n *node) event(e Event) {
	switch e.Kind {
	case Chosen, Lost:
		if e.Kind == Lost {
			e.Way = Way{}
		}
		if e.Way == n.using && e.Why != First {
			n.t.Errorf("node %d: chosen again: %v", n.side, e.Way)
		}
		n.using, n.size = e.Way, top4
		n.history = append(n.history, fmt.Sprintf("%v %v %v", time.Duration(n.now), e.Way, e.Why))
	case MTU:
		n.size = e.Bytes
	case OpenSockets:
		for range e.Count {
			n.open(e.Count > 1)
		}
	case CloseSocket:
		delete(n.sockets, e.Way.Socket)
	case AskSeen:
		o := n.other()
		n.after(2*n.delay, func() {
			if seen, ok := o.box.Out(n.now, o.sockets[0], relayAt[1]); ok && seen.Addr() == e.Way.Remote.Addr() {
				n.f.Seen(n.now, 0, e.Way.Remote)
			}
		})
	case Restun:
		n.stun()
	}
}

func (n *node) open(many bool) {
	n.fresh++
	number := n.fresh
	inside := netip.AddrPortFrom(n.sockets[0].Addr(), 20000+number)
	n.sockets[number] = inside
	if many {
		n.f.SocketOpened(n.now, 0, number, netip.AddrPort{}, &n.out)
		return
	}
	n.after(2*n.delay, func() {
		mapped, _ := n.box.Out(n.now, inside, stunAt[0])
		n.f.SocketOpened(n.now, 0, number, mapped, &n.out)
		n.flush()
	})
}

// transmit carries a datagram; arrive is called with the way that it came on.
func (n *node) transmit(w Way, size int, arrive func(Way)) {
	if w.Relay != 0 {
		if n.narrow == 0 || size <= n.narrow {
			n.relayed(w, arrive)
		}
		return
	}
	inside, ok := n.sockets[w.Socket]
	if !ok {
		n.t.Errorf("node %d: sent from socket %d, which is closed", n.side, w.Socket)
		return
	}
	n.sentTo[w.Remote.Addr()]++
	if n.spam != nil {
		n.spam(w.Remote)
	}
	outside, ok := n.box.Out(n.now, inside, w.Remote)
	o := n.other()
	if !ok || n.cut[n.side] || n.rnd.Float64() < n.loss || n.limit > 0 && size > n.limit || n.limits[n.side] > 0 && size > n.limits[n.side] || w.Remote.Addr() != o.box.Outside() {
		return
	}
	n.after(n.delay+o.delay+n.jitter(), func() {
		back, ok := o.box.In(n.now, outside, w.Remote)
		if !ok {
			return
		}
		for number, a := range o.sockets {
			if a == back {
				arrive(Way{Socket: number, Remote: outside})
			}
		}
	})
}

func (n *node) jitter() time.Duration { return time.Duration(n.rnd.IntN(1000)) * time.Microsecond }

func (n *node) relayed(w Way, arrive func(Way)) {
	if n.rnd.Float64() < n.loss || !n.relays[w.Relay] || n.side == 0 && n.deaf[w.Relay] {
		return
	}
	o := n.other()
	longer := time.Duration(0)
	if n.side == 0 {
		longer = n.skew
	}
	n.after(n.delay+o.delay+longer+n.jitter(), func() {
		if !n.relays[w.Relay] {
			return
		}
		arrive(Way{Relay: cmp.Or(n.lands[n.side][w.Relay], w.Relay)})
	})
}

// talk sends data until talks is false.
func (n *node) talk() {
	if !n.talks {
		return
	}
	n.say()
	n.after(cmp.Or(n.every, 100*time.Millisecond), n.talk)
}

// say sends data once.
func (n *node) say() {
	if !n.using.IsValid() {
		n.f.Wanted(n.now, 0, &n.out)
	} else {
		w, size := n.using, min(n.dataSize, n.size)
		n.said++
		n.f.Sent(n.now, 0, size, &n.out)
		n.transmit(w, size, func(from Way) {
			o := n.other()
			o.got = append(o.got, arrival{o.now, from})
			o.f.Heard(o.now, 0, from, &o.out)
			o.flush()
			if o.echoes {
				o.after(time.Millisecond, o.say)
			}
		})
	}
	n.flush()
}

// bothTalk starts traffic in both directions and lets it flow until both ways are direct.
func (s *sim) bothTalk(within time.Duration) bool {
	s.run(200*time.Millisecond, nil)
	for i, n := range s.nodes {
		n.talks = true
		s.after(time.Duration(i)*time.Millisecond*time.Duration(s.rnd.IntN(40)), n.talk)
	}
	return s.run(within, s.direct)
}

func (s *sim) direct() bool { return s.nodes[0].using.Direct() && s.nodes[1].using.Direct() }

func (s *sim) tellHistory() {
	for _, n := range s.nodes {
		s.t.Logf("node %d (%v): %v", n.side, n.delay, n.history)
		st, _ := n.f.Status(0)
		s.t.Logf("%+v", st)
	}
}
