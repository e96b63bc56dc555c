package ipsec_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/lab/toyike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// Nothing that a tunnel starts outlives it; a bubble sees to that by itself.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rtt is how long a question and its answer take, unless the story says otherwise.
const rtt = 40 * time.Millisecond

// world is a network with two ends on it, inside a bubble.
type world struct {
	*testing.T
	net  *sock.Network
	a, b *end

	mu     sync.Mutex // of what follows
	rnd    *rand.Rand
	jitter time.Duration // packets overtake each other
	loss   float64       // of 1
	twice  float64       // of 1: so many datagrams arrive a second time
	cut    bool          // nothing arrives
}

// inWorld tells a story of two ends that know each other and make pairs by k.
func inWorld(t *testing.T, k esp.Keys, story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, rnd: rand.New(rand.NewPCG(1, 2))}
		w.net = sock.NewNetwork(w.carry)
		w.a, w.b = w.end(1, k), w.end(2, k)
		defer func() {
			w.a.Close()
			w.b.Close()
		}()
		w.a.knows(w.b)
		w.b.knows(w.a)
		story(w)
	})
}

// carry implements sock.Carry.
func (w *world) carry(_, _ netip.AddrPort) (copies []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut || w.rnd.Float64() < w.loss {
		return nil
	}
	copies = append(copies, w.takes())
	if w.rnd.Float64() < w.twice {
		copies = append(copies, w.takes())
	}
	return copies
}

func (w *world) takes() time.Duration {
	d := rtt / 2
	if w.jitter > 0 {
		d += time.Duration(w.rnd.Int64N(int64(w.jitter)))
	}
	return d
}

// change alters the network.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// pass lets time go by, and then everything come to rest.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// end is one end of the tunnel.
type end struct {
	*tunnel.Tunnel
	w     *world
	n     byte
	keys  esp.Keys
	keyer *toyike.Keyer
	addr  netip.Addr // inside
	home  netip.Addr // outside
	twin  *tun.Twin
	sock  *sock.Memory
}

func (w *world) end(n byte, k esp.Keys) *end {
	e := &end{w: w, n: n, keys: k, addr: netip.AddrFrom4([4]byte{10, 77, 0, n}), home: netip.AddrFrom4([4]byte{192, 0, 2, n})}
	e.boot()
	return e
}

// boot starts the end, or starts it anew without peers.
func (e *end) boot() {
	e.w.Helper()
	s, err := e.w.net.Open(sock.Config{}, e.home)
	if err != nil {
		e.w.Fatal(err)
	}
	keyer, build := toyike.New(toyike.Config{Self: e.name(), Secret: []byte("known to both"), Keys: e.keys})
	e.keyer, e.sock, e.twin = keyer, s, tun.NewTwin(tun.Config{})
	e.Tunnel, err = tunnel.New(tunnel.Config{
		Self: e.name(), TUN: e.twin, Sockets: []sock.Socket{s}, Transports: map[tunnel.Class]tunnel.Build{tunnel.IKE: ipsec.New(ipsec.Config{Keyer: build})},
	})
	if err != nil {
		e.w.Fatal(err)
	}
}

func (e *end) name() key.WGPublic { return key.WGPublic{e.n} }

// knows makes another end a peer. change may alter what is told of it.
func (e *end) knows(other *end, change ...func(*tunnel.PeerConfig)) {
	e.w.Helper()
	c := tunnel.PeerConfig{
		Key: other.name(), Allowed: []netip.Prefix{netip.PrefixFrom(other.addr, 32)}, Candidates: []netip.AddrPort{netip.AddrPortFrom(other.home, other.Port())},
	}
	for _, f := range change {
		f(&c)
	}
	if err := e.SetPeer(c); err != nil {
		e.w.Fatal(err)
	}
}

// says sends n packets to the other end, numbered from first on.
func (e *end) says(to *end, first, n int) {
	for i := range n {
		e.twin.Send(numbered(e.addr, to.addr, first+i))
	}
}

// numbered is an IPv4 packet with a number in it.
func numbered(from, to netip.Addr, n int) []byte {
	p := append([]byte{0x45, 0, 0, 24, 0, 0, 0x40, 0, 64, 253, 0, 0}, append(from.AsSlice(), to.AsSlice()...)...)
	binary.BigEndian.PutUint16(p[10:], offload.Sum(0).Bytes(p).Checksum())
	return binary.BigEndian.AppendUint32(p, uint32(n))
}

// heard returns the numbers of all packets that have arrived.
func (e *end) heard() (all []int) {
	for len(e.twin.Arrived()) > 0 {
		p := <-e.twin.Arrived()
		all = append(all, int(binary.BigEndian.Uint32(p[20:])))
	}
	return all
}

// wantHeard fails if not exactly the packets from first on have arrived, each once, in any order.
func (e *end) wantHeard(first, n int) {
	e.w.Helper()
	seen := map[int]bool{}
	for _, number := range e.heard() {
		if number < first || number >= first+n || seen[number] {
			e.w.Fatalf("%d hears packet %d, or hears it again", e.n, number)
		}
		seen[number] = true
	}
	if len(seen) != n {
		e.w.Fatalf("%d hears %d of %d packets", e.n, len(seen), n)
	}
}

// of is what the end knows of the other.
func (e *end) of(other *end) (s tunnel.PeerState) {
	for _, p := range e.Peers() {
		if p.Key == other.name() {
			return p
		}
	}
	return s
}

// wantDrops fails if the end has dropped anything else than this.
func (e *end) wantDrops(want map[tunnel.Reason]uint64) {
	e.w.Helper()
	got := e.State().Drops
	for r, n := range want {
		if got[r.String()] != n {
			e.w.Errorf("%d has dropped %d as %v, want %d", e.n, got[r.String()], r, n)
		}
		delete(got, r.String())
	}
	if len(got) > 0 {
		e.w.Errorf("%d has dropped besides %v", e.n, got)
	}
}

// gcm is what most stories use.
func gcm() esp.Keys { return esp.Keys{Suite: esp.AES256GCM, ESN: true} }
