package wg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// end is one end of a tunnel on loopback, with a TUN device in memory.
type end struct {
	t    *testing.T
	key  key.WGPrivate
	addr netip.Addr // inside
	tun  *tun.Memory
	Tunnel
}

func newEnd(t *testing.T, k key.WGPrivate, addr string) *end {
	t.Helper()
	m := tun.NewMemory("cvlan0", tun.DefaultMTU)
	tunnel, err := New(Config{Private: k, TUN: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tunnel.Close() })
	return &end{t, k, netip.MustParseAddr(addr), m, tunnel}
}

// at is where the end is on the outside.
func (e *end) at() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), e.Port())
}

// knows makes another end a peer.
func (e *end) knows(other *end, candidates ...netip.AddrPort) {
	e.t.Helper()
	bits := other.addr.BitLen()
	if err := e.SetPeer(Peer{other.key.Public(), []netip.Prefix{netip.PrefixFrom(other.addr, bits)}, candidates}); err != nil {
		e.t.Fatal(err)
	}
}

// sends sends one packet to another end.
func (e *end) sends(to *end, body string) { e.tun.Send(packet(e.addr, to.addr, body)) }

// hears waits for a packet with that body.
func (e *end) hears(body string) {
	e.t.Helper()
	if !e.heard(body, 20*time.Second) {
		e.t.Fatalf("%v did not hear %q", e.addr, body)
	}
}

func (e *end) heard(body string, limit time.Duration) bool {
	for end := time.After(limit); ; {
		select {
		case p := <-e.tun.Arrived():
			if string(p[len(p)-len(body):]) == body {
				return true
			}
		case <-end:
			return false
		}
	}
}

// state is what the end knows of another.
func (e *end) state(of *end) PeerState {
	e.t.Helper()
	for _, p := range e.Peers() {
		if p.Key == of.key.Public() {
			return p
		}
	}
	e.t.Fatalf("no such peer")
	return PeerState{}
}

// packet makes an IP packet with a body that nobody parses.
func packet(from, to netip.Addr, body string) []byte {
	if from.Is4() {
		p := make([]byte, 20, 20+len(body))
		p[0] = 0x45
		binary.BigEndian.PutUint16(p[2:], uint16(20+len(body)))
		copy(p[12:], from.AsSlice())
		copy(p[16:], to.AsSlice())
		return append(p, body...)
	}
	p := make([]byte, 40, 40+len(body))
	p[0] = 0x60
	binary.BigEndian.PutUint16(p[4:], uint16(len(body)))
	copy(p[8:], from.AsSlice())
	copy(p[24:], to.AsSlice())
	return append(p, body...)
}

// nobody returns addresses on loopback at which nobody answers.
func nobody(n int) (all []netip.AddrPort) {
	for i := range n {
		all = append(all, netip.MustParseAddrPort(fmt.Sprintf("127.9.9.%d:9", i+1)))
	}
	return all
}

func hexOf(k key.WGPublic) string { return fmt.Sprintf("%x", k[:]) }
