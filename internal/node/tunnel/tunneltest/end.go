package tunneltest

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// End is a tunnel on Links. Its name, and both of its addresses, come from its number.
type End struct {
	*tunnel.Tunnel
	T    testing.TB
	N    byte
	Addr netip.Addr // inside
	Home netip.Addr // outside
	Twin *tun.Twin
	Sock *sock.Memory

	name key.WGPublic // zero: by its number
}

// NewEnd makes an end that is not started yet.
func NewEnd(t testing.TB, n byte) *End {
	return &End{T: t, N: n, Addr: netip.AddrFrom4([4]byte{10, 77, 0, n}), Home: netip.AddrFrom4([4]byte{192, 0, 2, n})}
}

// Start starts the end, or starts it anew without peers.
func (e *End) Start(l *Links, transports map[tunnel.Class]tunnel.Build) {
	e.T.Helper()
	var err error
	if e.Sock, err = l.Open(sock.Config{}, e.Home); err != nil {
		e.T.Fatal(err)
	}
	e.Twin = tun.NewTwin(tun.Config{})
	if e.Tunnel, err = tunnel.New(tunnel.Config{Self: e.Name(), TUN: e.Twin, Sockets: []sock.Socket{e.Sock}, Transports: transports}); err != nil {
		e.T.Fatal(err)
	}
}

// Is gives the end another name than that of its number.
func (e *End) Is(name key.WGPublic) { e.name = name }

// Name is what others know the end by.
func (e *End) Name() key.WGPublic {
	if e.name.IsZero() {
		return key.WGPublic{e.N}
	}
	return e.name
}

// Knows makes another end a peer. change may alter what is told of it.
func (e *End) Knows(other *End, change ...func(*tunnel.PeerConfig)) {
	e.T.Helper()
	c := tunnel.PeerConfig{
		Key: other.Name(), Allowed: []netip.Prefix{netip.PrefixFrom(other.Addr, 32)}, Candidates: []netip.AddrPort{netip.AddrPortFrom(other.Home, other.Port())},
	}
	for _, f := range change {
		f(&c)
	}
	if err := e.SetPeer(c); err != nil {
		e.T.Fatal(err)
	}
}

// Of is what the end knows of another.
func (e *End) Of(other *End) (s tunnel.PeerState) {
	for _, p := range e.Peers() {
		if p.Key == other.Name() {
			return p
		}
	}
	return s
}

// Says sends n packets to another end, numbered from first on.
func (e *End) Says(to *End, first, n int) {
	for i := range n {
		e.Twin.Send(offloadtest.Numbered(e.Addr, to.Addr, first+i))
	}
}

// Heard returns the numbers of all packets that have arrived.
func (e *End) Heard() (all []int) {
	for len(e.Twin.Arrived()) > 0 {
		p := <-e.Twin.Arrived()
		all = append(all, int(binary.BigEndian.Uint32(p[20:])))
	}
	return all
}

// WantHeard fails if not exactly the packets from first on have arrived, each once, in any order.
func (e *End) WantHeard(first, n int) {
	e.T.Helper()
	seen := map[int]bool{}
	for _, number := range e.Heard() {
		if number < first || number >= first+n || seen[number] {
			e.T.Fatalf("%d hears packet %d, or hears it again", e.N, number)
		}
		seen[number] = true
	}
	if len(seen) != n {
		e.T.Fatalf("%d hears %d of %d packets; its drops: %v", e.N, len(seen), n, e.State().Drops)
	}
}

// WantDrops fails if the end has dropped anything else than this.
func (e *End) WantDrops(want map[tunnel.Reason]uint64) {
	e.T.Helper()
	got := e.State().Drops
	for r, n := range want {
		if got[r.String()] != n {
			e.T.Errorf("%d has dropped %d as %v, want %d", e.N, got[r.String()], r, n)
		}
		delete(got, r.String())
	}
	if len(got) > 0 {
		e.T.Errorf("%d has dropped besides %v", e.N, got)
	}
}

// Brief is all, or with -short less.
func Brief[T any](all, less T) T {
	if testing.Short() {
		return less
	}
	return all
}
