package tunnel

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/relay"
)

// scout is a guide that does what its story says.
type scout struct {
	GuideHost
	wanted, flows int
	heard         []Origin
	messages      []Class
	carried       [][]byte
	begin         bool // handshakes may begin
}

func (s *scout) build(h GuideHost) (Guide, error) { s.GuideHost = h; return s, nil }

func (s *scout) Message(_ mono.Time, c Class, _ Origin, _ []byte) Reason {
	s.messages = append(s.messages, c)
	return OK
}
func (s *scout) Put(mono.Time, *Peer)                               {}
func (s *scout) Remove(mono.Time, *Peer)                            {}
func (s *scout) Wanted(mono.Time, *Peer) bool                       { s.wanted++; return s.begin }
func (s *scout) Heard(_ mono.Time, _ *Peer, from Origin)            { s.heard = append(s.heard, from) }
func (s *scout) Flow(_ mono.Time, _ *Peer, _ int, _ bool, _ Origin) { s.flows++ }
func (s *scout) Carry(_ mono.Time, _ *Peer, _ uint8, m []byte)      { s.carried = append(s.carried, m) }
func (s *scout) Rebound(mono.Time, bool)                            {}

func (s *scout) Wake(mono.Time, path.Cause) {}
func (s *scout) Mismatch(mono.Time, *Peer)  {}
func (s *scout) Deadline() mono.Time        { return mono.Never }
func (s *scout) Tick(mono.Time)             {}

// behindRelay tells a story of two ends with guides, and a relay between them that has a channel in each direction: number 1 from a to b,
// number 2 from b to a. Clients have the numbers 11 and 12.
func behindRelay(t *testing.T, story func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := sock.NewNetwork(func(_, _ netip.AddrPort) []time.Duration { return []time.Duration{rtt / 4} })
		x, y := &scout{begin: true}, &scout{begin: true}
		a, b := guidedEnd(t, net, 1, x), guidedEnd(t, net, 2, y)
		r, err := net.Open(sock.Config{}, netip.AddrFrom4([4]byte{192, 0, 2, 99}))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); forwards(r, a.at, b.at) }()
		defer func() { r.Close(); <-done }()
		defer a.Close()
		defer b.Close()
		for _, c := range []struct {
			e, other *end
			s        *scout
			from     relay.Number
		}{{a, b, x, 11}, {b, a, y, 12}} {
			cfg := PeerConfig{Key: c.other.fake.self, Allowed: []netip.Prefix{netip.PrefixFrom(c.other.addr, 32)}, Guided: true}
			if err := c.e.SetPeer(cfg); err != nil {
				t.Fatal(err)
			}
			p := c.e.peer(c.other)
			c.e.inside(func() {
				c.s.Expect(1, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 99}), r.Port()), c.from, 7, p)
			})
		}
		story(t, a, b, x, y, r)
	})
}

func guidedEnd(t *testing.T, net *sock.Network, n byte, s *scout) *end {
	t.Helper()
	home := netip.AddrFrom4([4]byte{192, 0, 2, n})
	k, err := net.Open(sock.Config{}, home)
	if err != nil {
		t.Fatal(err)
	}
	e := &end{t: t, fake: &fake{self: key.WGPublic{n}, limit: 1 << 40}, twin: tun.NewTwin(tun.Config{}), sock: k, addr: netip.AddrFrom4([4]byte{10, 77, 0, n})}
	e.at = netip.AddrPortFrom(home, k.Port())
	e.Tunnel, err = New(Config{Self: e.fake.self, TUN: e.twin, Sockets: []sock.Socket{k}, Transports: map[Class]Build{IKE: e.fake.build}, Guide: s.build,
		Spare: func() (sock.Socket, error) { return net.Open(sock.Config{}, home) }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var laneKey = relay.Key{K0: 1, K1: 2}

// forwards is the relay: it delivers authentic frames under the tag 7.
func forwards(r *sock.Memory, a, b netip.AddrPort) {
	trains := []sock.Train{{Data: make([]byte, 1<<16)}}
	for {
		trains[0].Data = trains[0].Data[:cap(trains[0].Data)]
		if _, err := r.Receive(trains); err != nil {
			return
		}
		t := trains[0]
		for rest := t.Data; len(rest) > 0; {
			f := rest[:min(len(rest), t.Segment)]
			rest = rest[len(f):]
			if !relay.IsData(f) || !relay.Authentic(f, laneKey) {
				continue
			}
			to, number := b, relay.Number(12)
			if relay.NumberOf(f) == 2 {
				to, number = a, 11
			}
			relay.PutDeliver(f, number, 7)
			_ = r.Send([]sock.Train{{Data: f, Remote: to}})
		}
	}
}

// throughRelay has an end use its lane.
func (e *end) throughRelay(s *scout, other *end, r *sock.Memory, channel relay.Number, c Carrier) {
	p := e.peer(other)
	e.inside(func() {
		lane := Lane{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 99}), r.Port()), Channel: channel, Key: laneKey, Carrier: c}
		s.Use(e.clock.Now(), p, s.Through(p, 1, lane))
	})
}

func TestPacketsPassThroughARelay(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		a.throughRelay(x, b, r, 1, nil)
		b.throughRelay(y, a, r, 2, nil)
		a.says(b, 0, 100)
		pass(time.Second)
		b.wantHeard(0, 100)
		b.says(a, 0, 100)
		pass(time.Second)
		a.wantHeard(0, 100)
		if len(y.heard) == 0 || y.heard[0].Slot != 1 || y.heard[0].Peer != b.peer(a) {
			t.Errorf("the guide was told of %+v", y.heard)
		}
	})
}

func TestHandshakeWaitsForTheGuide(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		a.inside(func() { x.begin = false })
		a.says(b, 0, 5)
		pass(time.Second)
		b.wantHeard(0, 0)
		if x.wanted == 0 || a.peer(b).waiting.len() != 5 {
			t.Fatalf("wanted %d times, %d packets wait", x.wanted, a.peer(b).waiting.len())
		}
		b.throughRelay(y, a, r, 2, nil)
		p := a.peer(b)
		a.inside(func() { x.Begin(a.clock.Now(), p) })
		pass(time.Second)
		b.wantHeard(0, 0) // there is still no way
		a.throughRelay(x, b, r, 1, nil)
		pass(time.Second)
		b.wantHeard(0, 5)
	})
}

// What IKE has to say to a peer whose way was given up has one looked for. To one that was removed nobody looks.
func TestAMessageWithoutAWayHasOneLookedFor(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		a.throughRelay(x, b, r, 1, nil)
		b.throughRelay(y, a, r, 2, nil)
		a.says(b, 0, 1)
		pass(time.Second)
		p := a.peer(b)
		says := func() (wanted int) {
			a.inside(func() {
				wanted = x.wanted
				now := a.clock.Now()
				x.Use(now, p, nil)
				a.fake.say(fakeAnswer, p, 1, 0, &a.owner.out)
				a.owner.act(now)
				wanted = x.wanted - wanted
			})
			return wanted
		}
		if n := says(); n != 1 {
			t.Errorf("a way was wanted %d times", n)
		}
		a.RemovePeer(p.Key())
		if n := says(); n != 0 {
			t.Errorf("a way to nobody was wanted %d times", n)
		}
	})
}

func TestMovingFromRelayToDirectLosesNothing(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		a.throughRelay(x, b, r, 1, nil)
		b.throughRelay(y, a, r, 2, nil)
		a.says(b, 0, 10)
		pass(time.Second)
		p := a.peer(b)
		a.inside(func() { x.Use(a.clock.Now(), p, x.Direct(b.at, netip.Addr{}, 0)) })
		a.says(b, 10, 10)
		pass(time.Second)
		b.wantHeard(0, 20)
		if last := y.heard[len(y.heard)-1]; last.Slot != 0 || last.Addr != a.at {
			t.Errorf("heard last from %+v", last)
		}
	})
}

func TestFramesOfStrangersAreCounted(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, _ *scout, r *sock.Memory) {
		frame := make([]byte, 64)
		for _, tag := range []relay.Tag{7, 8} {
			relay.PutDeliver(frame, 11, tag)
			_ = b.sock.Send([]sock.Train{{Data: frame, Remote: a.at}}) // not from the relay
		}
		relay.PutDeliver(frame, 11, 8)
		_ = r.Send([]sock.Train{{Data: frame, Remote: a.at}})
		pass(time.Second)
		if n := a.State().Drops["unknown_sender"]; n != 3 {
			t.Errorf("%d unknown senders, want 3", n)
		}
	})
}

func TestFlowIsToldWhileItLasts(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		a.throughRelay(x, b, r, 1, nil)
		b.throughRelay(y, a, r, 2, nil)
		a.says(b, 0, 1)
		pass(10 * time.Second)
		x.flows = 0
		for i := range 20 {
			a.says(b, 1+i, 1)
			pass(PulseEvery)
		}
		if x.flows < 18 || x.flows > 22 {
			t.Errorf("told %d times of 2 s of packets", x.flows)
		}
		pass(10 * time.Second)
		x.flows = 0
		pass(time.Minute)
		if x.flows > 2 || len(a.owner.lively) != 0 {
			t.Errorf("told %d times of silence", x.flows)
		}
	})
}

// tap is a connection to the relay.
type tap struct{ frames [][]byte }

func (c *tap) Carry(f []byte) { c.frames = append(c.frames, append([]byte(nil), f...)) }

func TestFramesTravelOnAConnection(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		c := &tap{}
		a.throughRelay(x, b, r, 1, c)
		b.throughRelay(y, a, r, 2, nil)
		a.says(b, 0, 3)
		pass(rtt)
		if len(c.frames) == 0 || !relay.Authentic(c.frames[0], laneKey) { // the opening of a session
			t.Fatalf("%d frames", len(c.frames))
		}
		var in *Carried
		b.inside(func() { in = y.Carried(1) })
		for len(c.frames) > 0 {
			f := c.frames[0]
			c.frames = c.frames[1:]
			relay.PutDeliver(f, 12, 7)
			if err := in.Frames([][]byte{f}); err != nil {
				t.Fatal(err)
			}
			pass(rtt)
		}
		b.wantHeard(0, 3)
	})
}

func TestAnswersWithoutALaneAreTheGuides(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		a.throughRelay(x, b, r, 1, nil)
		a.says(b, 0, 1)
		pass(rtt)
		if len(y.carried) == 0 {
			t.Error("the answer to the opening is lost")
		}
	})
}

func TestSpareSocketCarriesPackets(t *testing.T) {
	behindRelay(t, func(t *testing.T, a, b *end, x, y *scout, r *sock.Memory) {
		b.throughRelay(y, a, r, 2, nil)
		p := a.peer(b)
		var port uint16
		a.inside(func() {
			n, err := x.OpenSocket()
			if err != nil {
				t.Fatal(err)
			}
			port = x.SocketPort(n)
			x.Use(a.clock.Now(), p, x.Direct(b.at, netip.Addr{}, n))
		})
		a.says(b, 0, 10)
		pass(time.Second)
		b.wantHeard(0, 10)
		last := y.heard[len(y.heard)-1]
		if last.Addr.Port() != port || port == a.at.Port() {
			t.Fatalf("heard from port %d, the socket's is %d and the tunnel's %d", last.Addr.Port(), port, a.at.Port())
		}
		q := b.peer(a)
		b.inside(func() { y.Use(b.clock.Now(), q, y.Direct(last.Addr, netip.Addr{}, 0)) })
		b.says(a, 0, 10)
		pass(time.Second)
		a.wantHeard(0, 10)
		a.inside(func() { x.CloseSocket(1) })
		a.says(b, 10, 10) // lost, which ends nothing
		pass(time.Second)
		a.inside(func() { x.Use(a.clock.Now(), p, x.Direct(b.at, netip.Addr{}, 0)) })
		a.says(b, 20, 10)
		pass(time.Second)
		b.wantHeard(20, 10)
	})
}
