package guide

import (
	"crypto/rand"
	"net/netip"
	"testing"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/disco"
	"github.com/cvlan/cvlan/proto/relay"
)

// stranger is a socket of somebody who is in no map.
type stranger struct {
	*sock.Memory
	Addr netip.Addr
}

func (r *realm) stranger(n byte) stranger {
	r.Helper()
	a := netip.AddrFrom4([4]byte{198, 18, 7, n})
	s, err := r.net.Open(sock.Config{}, a)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { s.Close() })
	return stranger{s, a}
}

// outside is where a node's tunnel is.
func (n *node) outside() netip.AddrPort { return netip.AddrPortFrom(n.addr, n.main.Port()) }

// mate is a node's view of another.
func (n *node) mate(other *node) (m *mate) {
	n.g.do(func(mono.Time) { m = n.g.find(other.private.Public()) })
	return m
}

// sealed is a message of one node to another.
func sealed(t *testing.T, from, to *node, m *disco.Message) []byte {
	t.Helper()
	pair, err := disco.NewPair(from.private, to.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	var nonce [disco.NonceSize]byte
	_, _ = rand.Read(nonce[:])
	b, err := pair.Seal(nil, nonce, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forged names one node as its sender, who has not sealed it.
func forged(t *testing.T, from, to *node) []byte {
	t.Helper()
	b := sealed(t, from, to, &disco.Message{Kind: disco.Ping, ID: 1, Size: disco.MinPing})
	b[len(b)-1] ^= 1
	return b
}

// counting is a tunnel that counts whom it need not expect any more.
type counting struct {
	tunnel.GuideHost
	unexpected int
}

func (c *counting) Unexpect(n relay.Number, tag relay.Tag) {
	c.unexpected++
	c.GuideHost.Unexpect(n, tag)
}

// closed reports whether a socket was closed.
func closed(s *sock.Memory) bool { return s.Send([]sock.Train{{}}) != nil }
