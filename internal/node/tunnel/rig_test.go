package tunnel

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// Nothing that a tunnel starts outlives it; a bubble sees to that by itself.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// end is one end of a tunnel that speaks the fake protocol.
type end struct {
	*Tunnel
	t    *testing.T
	fake *fake
	twin *tun.Twin
	sock *sock.Memory
	addr netip.Addr // inside
	at   netip.AddrPort
}

// rtt is how long a question and its answer take.
const rtt = 40 * time.Millisecond

// inBubble tells a story of two ends that know each other.
func inBubble(t *testing.T, story func(t *testing.T, a, b *end)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := sock.NewNetwork(func(_, _ netip.AddrPort) []time.Duration { return []time.Duration{rtt / 2} })
		a, b := newEnd(t, net, 1), newEnd(t, net, 2)
		defer a.Close()
		defer b.Close()
		a.knows(b)
		b.knows(a)
		story(t, a, b)
	})
}

func newEnd(t *testing.T, net *sock.Network, n byte) *end {
	t.Helper()
	home := netip.AddrFrom4([4]byte{192, 0, 2, n})
	s, err := net.Open(sock.Config{}, home)
	if err != nil {
		t.Fatal(err)
	}
	e := &end{t: t, fake: &fake{self: key.WGPublic{n}, limit: 1 << 40}, twin: tun.NewTwin(tun.Config{}), sock: s, addr: netip.AddrFrom4([4]byte{10, 77, 0, n})}
	e.at = netip.AddrPortFrom(home, s.Port())
	e.Tunnel, err = New(Config{Self: e.fake.self, TUN: e.twin, Sockets: []sock.Socket{s}, Transports: map[Class]Build{IKE: e.fake.build}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *end) knows(other *end) {
	e.t.Helper()
	c := PeerConfig{Key: other.fake.self, Allowed: []netip.Prefix{netip.PrefixFrom(other.addr, 32)}, Candidates: []netip.AddrPort{other.at}}
	if err := e.SetPeer(c); err != nil {
		e.t.Fatal(err)
	}
}

// peer is the end's own view of another.
func (e *end) peer(other *end) (p *Peer) {
	e.inside(func() { p = e.owner.peers[other.fake.self] })
	return p
}

// inside has the owner call f, and waits for it.
func (e *end) inside(f func()) {
	e.t.Helper()
	if err := e.owner.do(f); err != nil {
		e.t.Fatal(err)
	}
}

// says sends n packets to another end, numbered from first on.
func (e *end) says(to *end, first, n int) {
	for i := range n {
		e.twin.Send(offloadtest.Numbered(e.addr, to.addr, first+i))
	}
}

// heard returns the numbers of all packets that have arrived.
func (e *end) heard() (all []int) {
	for len(e.twin.Arrived()) > 0 {
		p := <-e.twin.Arrived()
		all = append(all, int(binary.BigEndian.Uint32(p[20:])))
	}
	return all
}

// wantHeard fails if not exactly n packets have arrived, in order.
func (e *end) wantHeard(first, n int) {
	e.t.Helper()
	all := e.heard()
	if len(all) != n {
		e.t.Errorf("%d packets have arrived, want %d", len(all), n)
	}
	for i, number := range all {
		if number != first+i {
			e.t.Fatalf("packet %d has the number %d", i, number)
		}
	}
}

// pass lets time go by, and then everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
