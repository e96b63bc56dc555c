package relayed

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sim/timeline"
	"github.com/cvlan/cvlan/proto/relay"
)

// self is the node under test; its relays are 1, 2, …, and other nodes whatever a story names.
const self ident.Node = 77

// rig is a node's Links in a small world of relays, in virtual time.
type rig struct {
	t      *testing.T
	l      *Links
	now    mono.Time
	out    Out
	relays []*station
	me     netip.AddrPort // where relays see us
	rnd    *rand.ChaCha8
	queue  timeline.Queue[func()]
	events []timed          // all that were told
	conns  map[uint32]*conn // that are open, or being made
	ticks  int
	missed int // times when packets would have met a relay that is bound elsewhere
}

type timed struct {
	at mono.Time
	Event
}

type conn struct{ at *station }

// station is a relay: as much of one as a client sees.
type station struct {
	id     ident.Relay
	addr   netip.AddrPort
	delay  time.Duration // one way
	dead   bool          // answers nothing, takes no connections
	region string
	noUDP  bool
	refuse relay.Reason // of registrations
	calls  bool         // takes Call
	keeps  bool         // and does not send on what comes with it
	got    [][]byte     // what was sent on
	offers uint64
	nodes  map[ident.Node]bool

	number    relay.Number // that it has given us
	secret    relay.Secret
	seen      uint64 // largest transaction
	bound     netip.AddrPort
	joined    bool // bound to the connection
	deaf      bool // loses every Bind that would move us to UDP
	channels  map[ident.Node]relay.Number
	last      relay.Number
	registers int
	binds     int
	asked     map[relay.Kind]int
}

// newRig makes a world with a relay for every delay.
func newRig(t *testing.T, cfg Config, delays ...time.Duration) *rig {
	cfg.Self = self
	r := &rig{t: t, now: mono.Time(time.Hour), rnd: rand.NewChaCha8([32]byte{1}), me: netip.MustParseAddrPort("198.51.100.7:4444"), conns: make(map[uint32]*conn)}
	r.l = New(cfg, r.rnd)
	for i, d := range delays {
		r.relays = append(r.relays, &station{id: ident.Relay(i + 1), addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), 443), delay: d,
			nodes: make(map[ident.Node]bool), channels: make(map[ident.Node]relay.Number), asked: make(map[relay.Kind]int)})
	}
	return r
}

// start tells the node of its relays.
func (r *rig) start() { r.l.Relays(r.now, r.mapped(), &r.out); r.act() }

func (r *rig) mapped() (all []Relay) {
	for _, s := range r.relays {
		all = append(all, Relay{ID: s.id, Region: s.region, Addrs: []netip.AddrPort{s.addr}})
	}
	return all
}

func (r *rig) after(d time.Duration, do func()) { r.queue.Put(r.now.Add(d), do) }

// run lets time pass.
func (r *rig) run(d time.Duration) {
	r.t.Helper()
	end := r.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 2e4 {
			r.t.Fatal("never at rest")
		}
		next := r.l.Deadline()
		if next.IsNever() || next > end {
			next = end + 1
		}
		at := r.queue.Next()
		if do, ok := r.queue.Take(min(next, end)); ok {
			r.now = max(r.now, at)
			do()
			continue
		}
		if next > end {
			r.now = end
			return
		}
		r.now = max(r.now, next)
		r.ticks++
		r.l.Tick(r.now, &r.out)
		if d := r.l.Deadline(); !d.IsNever() && d < r.now {
			r.t.Fatalf("after a tick the deadline has passed, by %v", r.now.Sub(d))
		}
		r.act()
	}
}

// act does what the node has decided.
func (r *rig) act() {
	out := r.out
	r.out = Out{}
	for _, e := range out.Events {
		r.events = append(r.events, timed{r.now, e})
		switch e.Kind {
		case Dial:
			r.dial(e)
		case Hangup:
			delete(r.conns, e.Conn)
		}
	}
	for _, m := range out.Transmits {
		r.transmit(m)
	}
}

func (r *rig) station(id ident.Relay) *station { return r.relays[id-1] }

// dial registers: two round trips and a half to the relay, and half of one back.
func (r *rig) dial(e Event) {
	s := r.station(e.Relay)
	r.conns[e.Conn] = &conn{s}
	if s.dead {
		r.after(10*time.Second, func() { r.l.Failed(r.now, e.Conn, relay.NoReason, &r.out); r.act() })
		return
	}
	r.after(5*s.delay, func() {
		if r.conns[e.Conn] == nil {
			return // it was given up
		}
		if s.refuse != relay.NoReason {
			r.after(s.delay, func() { r.l.Failed(r.now, e.Conn, s.refuse, &r.out); r.act() })
			return
		}
		s.registers++
		s.number = relay.Number(100*int(s.id) + s.registers)
		_, _ = r.rnd.Read(s.secret[:])
		s.seen, s.bound, s.joined = 0, netip.AddrPort{}, false
		clear(s.channels)
		w := relay.Welcome{Version: relay.Version, Client: s.number, Idle: 120, Channels: 16, Secret: s.secret}
		r.after(s.delay, func() { r.l.Registered(r.now, e.Conn, w, 2*s.delay, &r.out); r.act() })
	})
}

func (r *rig) transmit(m Transmit) {
	frame := append([]byte(nil), m.Data...)
	if m.Carried {
		n := r.l.slots[m.Slot]
		c := r.conns[n.conn]
		if c == nil {
			r.t.Fatalf("a frame for connection %d, which is not open", n.conn)
		}
		r.after(c.at.delay, func() { c.at.frame(r, frame, netip.AddrPort{}) })
		return
	}
	for _, s := range r.relays {
		if s.addr == m.To {
			from := r.me
			r.after(s.delay, func() {
				if !s.noUDP {
					s.frame(r, frame, from)
				}
			})
			return
		}
	}
	r.t.Fatalf("a frame to %v, where no relay is", m.To)
}

// frame is what a relay does with one.
func (s *station) frame(r *rig, f []byte, from netip.AddrPort) {
	if s.dead {
		return
	}
	if m, err := stun.Parse(f); err == nil {
		answer, _, ok := stun.Server{}.Answer(nil, f, from)
		if !ok {
			r.t.Fatal("no answer to", m)
		}
		r.after(s.delay, func() {
			if from == r.me {
				r.l.STUN(r.now, s.addr, answer, &r.out)
				r.act()
			}
		})
		return
	}
	if relay.NumberOf(f) != s.number || s.number == 0 {
		if n, ok := relay.NoticeOf(f, relay.Unknown, relay.NoReason); ok {
			s.answer(r, n.Append(nil, nil), from)
		}
		return
	}
	c, ok := relay.ReadControl(f, &s.secret)
	if !ok {
		r.t.Fatal("a frame with a wrong MAC")
	}
	s.asked[c.Kind]++
	fresh := c.Transaction > s.seen || c.Kind == relay.Bind && from.IsValid() && c.Cookie == [16]byte{}
	if c.Cookie != [16]byte{} || !from.IsValid() || c.Kind != relay.Bind {
		s.seen = max(s.seen, c.Transaction)
	}
	a := relay.Control{Client: s.number, Transaction: c.Transaction}
	switch c.Kind {
	case relay.Bind:
		if !fresh {
			return
		}
		if !from.IsValid() {
			a.Kind, a.Idle, s.joined, s.bound = relay.Bound, 120, true, netip.AddrPort{}
			break
		}
		s.binds++
		if s.deaf && c.Cookie != [16]byte{} {
			return
		}
		if a.Kind = relay.Bound; c.Cookie != cookieOf(from) {
			a.Kind, a.Cookie = relay.Cookie, cookieOf(from)
		} else {
			s.bound, s.joined = from, false
			a.Seen, a.Idle, a.Calls = from, 120, s.calls
		}
	case relay.Keepalive:
		if !s.here(from) {
			return
		}
		a.Kind, a.Seen, a.Idle = relay.Alive, from, 120
		if !from.IsValid() {
			a.Seen = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	case relay.Open, relay.Call:
		if !s.here(from) || !fresh {
			return
		}
		if c.Kind == relay.Call && s.nodes[c.Node] && !s.keeps {
			a.Took, s.got = true, append(s.got, relay.Called(f))
		}
		if a.Kind, a.Reason = relay.Refused, relay.Absent; s.nodes[c.Node] {
			if s.channels[c.Node] == 0 {
				s.last++
				s.channels[c.Node] = s.last
			}
			a.Kind, a.Reason, a.Channel = relay.Opened, relay.NoReason, s.channels[c.Node]
			a.There = c.Claim == claimed
		}
	default:
		return
	}
	s.answer(r, a.Append(nil, &s.secret), from)
}

// offer opens a channel to a node and says so.
func (s *station) offer(r *rig, node ident.Node) relay.Number {
	s.last++
	s.channels[node] = s.last
	s.offers++
	q := relay.Control{Kind: relay.Offered, Client: s.number, Transaction: relay.Unasked + s.offers, Channel: s.last, Node: node}
	s.answer(r, q.Append(nil, &s.secret), s.bound)
	return s.last
}

// here reports whether the node is bound to where a frame came from.
func (s *station) here(from netip.AddrPort) bool {
	return from.IsValid() && s.bound == from || !from.IsValid() && s.joined
}

func cookieOf(a netip.AddrPort) (c [16]byte) {
	c = a.Addr().As16()
	binary.BigEndian.PutUint16(c[:], a.Port())
	return c
}

// answer sends a frame to the node, by UDP if it has an address.
func (s *station) answer(r *rig, f []byte, to netip.AddrPort) {
	number := s.number
	r.after(s.delay, func() {
		switch {
		case to.IsValid() && (to != r.me || s.noUDP):
		case to.IsValid():
			r.l.Frame(r.now, s.addr, 0, f, &r.out)
		default:
			for _, n := range r.l.slots {
				if n != nil && n.k.id == s.id && n.welcome.Client == number {
					r.l.Frame(r.now, netip.AddrPort{}, n.slot, f, &r.out)
				}
			}
		}
		r.act()
	})
}

// last is the latest event of a kind, and when it came.
func (r *rig) last(k Kind) (e timed) {
	for _, x := range r.events {
		if x.Kind == k {
			e = x
		}
	}
	return e
}

func (r *rig) count(k Kind) (n int) {
	for _, x := range r.events {
		if x.Kind == k {
			n++
		}
	}
	return n
}

// lane is the best lane to a node.
func (r *rig) lane(node ident.Node) Lane {
	if all := r.l.Lanes(node); len(all) > 0 {
		return all[0]
	}
	return Lane{}
}

// flow has packets go both ways for a time, in the best lane that there is at each moment, as long as the relay lives.
func (r *rig) flow(node ident.Node, d time.Duration) {
	r.t.Helper()
	for range d / (100 * time.Millisecond) {
		if lane := r.lane(node); lane.Slot != 0 {
			s := r.station(r.l.slots[lane.Slot].k.id)
			alive := !s.dead && (lane.Carried && s.joined || !lane.Carried && !s.noUDP && s.bound == r.me)
			if !alive && !s.dead && !s.noUDP {
				r.missed++
			}
			r.l.Used(r.now, node, lane.Slot, true, alive)
		} else {
			r.l.Want(r.now, node, &r.out)
			r.act()
		}
		r.run(100 * time.Millisecond)
	}
}

func (r *rig) want(format string, ok bool, args ...any) {
	r.t.Helper()
	if !ok {
		r.t.Errorf(format+"\nlinks: %+v", append(args, fmt.Sprintf("%+v", r.l.Status()))...)
	}
}
