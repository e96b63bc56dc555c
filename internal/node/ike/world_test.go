package ike_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/esp"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/node/ike"
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

	mu          sync.Mutex // of what follows
	rnd         *rand.Rand
	jitter      time.Duration
	loss, twice float64 // of 1
	carried     int
}

// inWorld tells a story of two ends that know each other. change may alter what they are made of.
func inWorld(t *testing.T, change func(*end), story func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, rnd: rand.New(rand.NewPCG(1, 2))}
		w.net = sock.NewNetwork(w.carry)
		w.a, w.b = w.end(1, change), w.end(2, change)
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
	w.carried++
	if w.rnd.Float64() >= w.loss {
		copies = append(copies, w.takes())
	}
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
	w      *world
	n      byte
	config ike.Config
	secret string
	change func(*end)
	addr   netip.Addr // inside
	home   netip.Addr // outside
	twin   *tun.Twin
}

func (w *world) end(n byte, change func(*end)) *end {
	e := &end{w: w, n: n, change: change, addr: netip.AddrFrom4([4]byte{10, 77, 0, n}), home: netip.AddrFrom4([4]byte{192, 0, 2, n})}
	e.boot()
	return e
}

// boot starts the end, or starts it anew without peers.
func (e *end) boot() {
	e.w.Helper()
	profile, err := crypt.NewProfile(crypt.Modern)
	if err != nil {
		e.w.Fatal(err)
	}
	e.config, e.secret = ike.Config{IKE: core.Config{Profile: profile}, Peers: directory{e}}, "known to both"
	if e.change != nil {
		e.change(e)
	}
	s, err := e.w.net.Open(sock.Config{}, e.home)
	if err != nil {
		e.w.Fatal(err)
	}
	e.twin = tun.NewTwin(tun.Config{})
	e.Tunnel, err = tunnel.New(tunnel.Config{
		Self: name(e.n), TUN: e.twin, Sockets: []sock.Socket{s},
		Transports: map[tunnel.Class]tunnel.Build{tunnel.IKE: ipsec.New(ipsec.Config{Keyer: ike.New(e.config)})},
	})
	if err != nil {
		e.w.Fatal(err)
	}
}

func name(n byte) key.WGPublic { return key.WGPublic{n} }

// directory is what an end knows: identities are the names of the tunnel.
type directory struct{ *end }

func identity(k key.WGPublic) msg.Identity { return msg.Identity{Kind: msg.IDKeyID, Data: k[:]} }

func everything() []msg.Selector {
	return []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("0.0.0.0/0")), msg.PrefixSelector(netip.MustParsePrefix("::/0"))}
}

func (d directory) Meet(p *tunnel.Peer) (core.Peer, error) {
	return core.Peer{
		Local: identity(name(d.n)), Remote: identity(p.Key()), Credential: crypt.Credential{Shared: []byte(d.secret)},
		Child: &core.Child{Ours: everything(), Theirs: everything()}, Unique: true,
	}, nil
}

func (d directory) Who(remote, _ msg.Identity) (key.WGPublic, bool) {
	if remote.Kind != msg.IDKeyID || len(remote.Data) != 32 {
		return key.WGPublic{}, false
	}
	return key.WGPublic(remote.Data), true
}

func (d directory) Evidence(p *tunnel.Peer, remote msg.Identity, _ []msg.Cert) (crypt.Evidence, error) {
	if string(remote.Data) != string(identity(p.Key()).Data) {
		return crypt.Evidence{}, errors.New("somebody else")
	}
	return crypt.Evidence{Shared: []byte(d.secret)}, nil
}

// knows makes another end a peer. change may alter what is told of it.
func (e *end) knows(other *end, change ...func(*tunnel.PeerConfig)) {
	e.w.Helper()
	c := tunnel.PeerConfig{
		Key: name(other.n), Allowed: []netip.Prefix{netip.PrefixFrom(other.addr, 32)}, Candidates: []netip.AddrPort{netip.AddrPortFrom(other.home, other.Port())},
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
		e.w.Fatalf("%d hears %d of %d packets; its drops: %v", e.n, len(seen), n, e.State().Drops)
	}
}

// of is what the end knows of the other.
func (e *end) of(other *end) (s tunnel.PeerState) {
	for _, p := range e.Peers() {
		if p.Key == name(other.n) {
			return p
		}
	}
	return s
}

// shortLived has keys replaced every ten seconds.
func shortLived(e *end) {
	e.config.Life = esp.Life{Soft: esp.Limit{Time: 10 * time.Second}, Hard: esp.Limit{Time: 30 * time.Second}}
}
