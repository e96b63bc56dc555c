package relays

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/relay"
	"github.com/cvlan/cvlan/relay/server/servertest"
)

// sea is a network with real relays (relay/server) and nodes that have Links and a Ferry, in a bubble. UDP takes delay each way; TCP takes none.
type sea struct {
	*testing.T
	twin    stream.Twin
	net     *sock.Network
	relays  []control.Relay
	servers map[ident.Relay]*servertest.Relay
	root    *trusttest.Party
	tenant  *trusttest.Party
	all     []*ship

	mu      sync.Mutex
	blocked map[netip.Addr]bool // for UDP, both ways
}

const delay = 20 * time.Millisecond

func voyage(t *testing.T, tell func(*sea)) {
	synctest.Test(t, func(t *testing.T) {
		s := &sea{T: t, servers: make(map[ident.Relay]*servertest.Relay), blocked: make(map[netip.Addr]bool)}
		s.root = trusttest.Root()
		s.tenant = s.root.Mint(trust.TenantName(trusttest.Domain, 7))
		s.net = sock.NewNetwork(func(from, to netip.AddrPort) []time.Duration {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.blocked[from.Addr()] || s.blocked[to.Addr()] {
				return nil
			}
			return []time.Duration{delay}
		})
		tell(s)
		for _, x := range s.all {
			x.close()
		}
		for _, h := range s.servers {
			h.Stop()
		}
	})
}

func (s *sea) block(a netip.Addr, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked[a] = yes
}

func relayAt(id ident.Relay) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(id)}), 443)
}

// serve starts a relay, again if it ran before.
func (s *sea) serve(id ident.Relay) *servertest.Relay {
	s.Helper()
	at := relayAt(id)
	r := servertest.Net{UDP: s.net, TCP: &s.twin, Root: s.root, Tenants: []*trusttest.Party{s.tenant}}.Serve(s.T, id, at)
	if s.servers[id] == nil {
		s.relays = append(s.relays, control.Relay{ID: id, Addresses: []string{at.String()}})
	}
	s.servers[id] = r
	return r
}

// ship is a node. Its owner is whoever holds the lock.
type ship struct {
	s     *sea
	id    ident.Node
	addr  netip.Addr
	sock  *sock.Memory
	f     *Ferry
	clock mono.Clock
	ended sync.WaitGroup
	quit  chan struct{}
	wake  chan struct{}

	mu     sync.Mutex
	l      *relayed.Links
	out    relayed.Out
	events []timed
	tags   map[relay.Tag]ident.Node
	got    []letter
	conns  [relayed.MaxSlots + 1]uint32
	home   ident.Relay
}

type timed struct {
	at time.Time
	relayed.Event
}

// letter is a packet that came through a relay.
type letter struct {
	from ident.Node
	text byte
	when time.Time
}

func (s *sea) launch(id ident.Node) *ship {
	s.Helper()
	x := &ship{s: s, id: id, addr: netip.AddrFrom4([4]byte{198, 51, 100, byte(id)}), clock: mono.NewClock(), quit: make(chan struct{}), wake: make(chan struct{}, 1), tags: make(map[relay.Tag]ident.Node)}
	var err error
	if x.sock, err = s.net.Open(sock.Config{Port: 4444}, x.addr); err != nil {
		s.Fatal(err)
	}
	cert := s.tenant.Mint(trust.NodeName(trusttest.Domain, 7, id))
	x.f = New(Config{
		Credentials: func() session.Credentials {
			return session.Credentials{Certificate: cert.TLS(), Pin: s.root.Pin()}
		},
		DialTCP:   s.twin.DialTCP,
		ListenUDP: func(context.Context, netip.AddrPort) (net.PacketConn, error) { return nil, errors.New("no QUIC here") },
		Proxy:     func(*url.URL) (*url.URL, error) { return nil, nil },
	})
	x.l = relayed.New(relayed.Config{Self: id}, rand.Reader)
	s.all = append(s.all, x)
	x.ended.Go(x.receive)
	x.ended.Go(x.tick)
	x.f.SetRelays(s.relays)
	x.do(func(now mono.Time) {
		var all []relayed.Relay
		for _, r := range s.relays {
			all = append(all, relayed.Relay{ID: r.ID, Addrs: []netip.AddrPort{netip.MustParseAddrPort(r.Addresses[0])}})
		}
		x.l.Relays(now, all, &x.out)
	})
	return x
}

func (x *ship) close() {
	close(x.quit)
	x.sock.Close()
	x.f.Close()
	x.ended.Wait()
}

// do lets the owner do something, and does what follows.
func (x *ship) do(f func(now mono.Time)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f(x.clock.Now())
	x.act()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *ship) act() {
	for i := 0; i < len(x.out.Events); i++ {
		e := x.out.Events[i]
		x.events = append(x.events, timed{time.Now(), e})
		switch e.Kind {
		case relayed.Dial:
			x.f.dial(e.Conn, e.Relay, boarding{x, e.Slot, e.Conn})
		case relayed.Hangup:
			x.f.Hangup(e.Conn)
		case relayed.Home:
			x.home = e.Relay
		case relayed.Expect:
			x.tags[e.Tag] = e.Node
		case relayed.Unexpect:
			delete(x.tags, e.Tag)
		}
	}
	for _, m := range x.out.Transmits {
		if m.Carried {
			if c := x.f.Carrier(x.conns[m.Slot]); c != nil {
				c.Carry(m.Data)
			}
			continue
		}
		_ = x.sock.Send([]sock.Train{{Data: m.Data, Remote: m.To}})
	}
	x.out.Reset()
}

func (x *ship) tick() {
	for {
		x.mu.Lock()
		d := x.l.Deadline()
		x.mu.Unlock()
		wait := time.Hour
		if !d.IsNever() {
			wait = x.clock.Until(d)
		}
		select {
		case <-x.quit:
			return
		case <-x.wake:
		case <-time.After(wait):
			x.do(func(now mono.Time) { x.l.Tick(now, &x.out) })
		}
	}
}

func (x *ship) receive() {
	trains := []sock.Train{{Data: make([]byte, sock.MaxTrain)}}
	for {
		n, err := x.sock.Receive(trains)
		if err != nil {
			return
		}
		for _, t := range trains[:n] {
			for rest := t.Data; len(rest) > 0; {
				b := rest[:min(t.Segment, len(rest))]
				rest = rest[len(b):]
				x.do(func(now mono.Time) { x.frame(now, t.Remote, 0, b) })
			}
		}
	}
}

func (x *ship) frame(now mono.Time, from netip.AddrPort, slot uint8, b []byte) {
	_, tag, payload, err := relay.ReadDeliver(b)
	switch {
	case err == nil && x.tags[tag] != 0:
		x.got = append(x.got, letter{x.tags[tag], payload[0], time.Now()})
		for _, st := range x.l.Status() {
			if slot == st.Slot || slot == 0 && from == st.Remote {
				x.l.Used(now, x.tags[tag], st.Slot, false, true)
			}
		}
	case err != nil && b[0] == relay.Type:
		x.l.Frame(now, from, slot, b, &x.out)
	case err != nil:
		x.l.STUN(now, from, b, &x.out)
	}
}

// boarding is a ship that waits for a connection.
type boarding struct {
	x    *ship
	slot uint8
	conn uint32
}

func (b boarding) Registered(w relay.Welcome, took time.Duration) receiver {
	b.x.do(func(now mono.Time) {
		b.x.conns[b.slot] = b.conn
		b.x.l.Registered(now, b.conn, w, took, &b.x.out)
	})
	return b
}

func (b boarding) Failed(why relay.Reason) {
	b.x.do(func(now mono.Time) { b.x.l.Failed(now, b.conn, why, &b.x.out) })
}

func (b boarding) Ended() {
	b.x.do(func(now mono.Time) { b.x.l.Ended(now, b.conn, &b.x.out) })
}

func (b boarding) Frames(frames [][]byte) error {
	for _, f := range frames {
		b.x.do(func(now mono.Time) { b.x.frame(now, netip.AddrPort{}, b.slot, f) })
	}
	return nil
}

// at is where the node is at home.
func (x *ship) at() ident.Relay {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.home
}

// meets has the map tell of another node.
func (x *ship) meets(y *ship) {
	home := y.at()
	x.do(func(now mono.Time) { x.l.Put(now, y.id, home, &x.out) })
}

// write sends a packet in the best lane, and reports whether there is one.
func (x *ship) write(to *ship, text byte) (sent bool) {
	x.do(func(now mono.Time) {
		lanes := x.l.Want(now, to.id, &x.out)
		if len(lanes) == 0 {
			return
		}
		lane := lanes[0]
		b := make([]byte, relay.HeaderSize+64)
		b[relay.HeaderSize] = text
		relay.PutData(b, lane.Channel, lane.Key)
		if !lane.Carried {
			_ = x.sock.Send([]sock.Train{{Data: b, Remote: lane.Remote}})
		} else if c := x.f.Carrier(x.conns[lane.Slot]); c != nil {
			c.Carry(b)
		}
		x.l.Used(now, to.id, lane.Slot, true, false)
		sent = true
	})
	return sent
}

// talk has two write to each other every 50 ms.
func talk(a, b *ship, d time.Duration) {
	for range d / (50 * time.Millisecond) {
		a.write(b, 1)
		b.write(a, 2)
		time.Sleep(50 * time.Millisecond)
	}
}

// last is when the last packet came, and how many did.
func (x *ship) last() (n int, when time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n = len(x.got); n > 0 {
		when = x.got[n-1].when
	}
	return n, when
}

// gap is the longest time without a packet since a moment.
func (x *ship) gap(since time.Time) (longest time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	was := since
	for _, l := range x.got {
		if l.when.After(since) {
			longest = max(longest, l.when.Sub(was))
			was = l.when
		}
	}
	return max(longest, time.Since(was))
}

func (x *ship) status() []relayed.Status {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.l.Status()
}

// pair launches two nodes that know each other.
func (s *sea) pair() (a, b *ship) {
	a, b = s.launch(9), s.launch(10)
	time.Sleep(2 * time.Second)
	a.meets(b)
	b.meets(a)
	return a, b
}

func TestNodesTalkThroughARealRelay(t *testing.T) {
	voyage(t, func(s *sea) {
		h := s.serve(1)
		a, b := s.pair()
		if len(a.status()) != 1 || !a.status()[0].Up || a.status()[0].Carried || a.at() != 1 {
			s.Fatal(a.status())
		}
		begun := time.Now()
		for !a.write(b, 1) {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		n, when := b.last()
		if n != 1 || when.Sub(begun) > 4*delay+3*time.Millisecond {
			s.Error(n, when.Sub(begun))
		}
		talk(a, b, 5*time.Second)
		if n, _ := a.last(); n < 95 {
			s.Error("came:", n)
		}
		if st := h.Stats(); st.Clients != 2 || st.Connections != 0 || len(st.Frames) != 1 {
			s.Errorf("%+v", st)
		}
	})
}
