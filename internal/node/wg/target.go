package wg

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"golang.org/x/crypto/blake2s"
	"golang.zx2c4.com/wireguard/conn"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/path"
)

// target stands for a peer wherever it is: the conn.Endpoint of a peer that has not been heard from, or may have moved.
type target struct {
	key  key.WGPublic
	mac1 [blake2s.Size]byte

	// last is where the peer was before Wake doubted it; data keeps going there until the peer answers from somewhere.
	last atomic.Pointer[conn.StdNetEndpoint]

	// The bind's lock guards the rest.
	picker  path.Picker
	opening [initiationSize]byte // the latest initiation
	waiting bool                 // it is unanswered
	doubted bool                 // Wake came, and no answer since
	hint    netip.AddrPort       // where it is in the bind's hints
}

var _ conn.Endpoint = (*target)(nil)

func newTarget(k key.WGPublic) *target { return &target{key: k, mac1: mac1Key(k)} }

// index is the number by which the answer to the latest initiation names it.
func (t *target) index() uint32 { return binary.LittleEndian.Uint32(t.opening[4:]) }

// DstToString implements conn.Endpoint: what the library shows as the peer's endpoint.
func (t *target) DstToString() string {
	if last := t.last.Load(); last != nil {
		return last.DstToString()
	}
	return ""
}

// The rest of conn.Endpoint. The library asks for bytes, to answer with a cookie, and for addresses only of endpoints that it
// received from.

func (t *target) ClearSrc()           {}
func (t *target) SrcToString() string { return "" }
func (t *target) DstToBytes() []byte  { return nil }
func (t *target) DstIP() netip.Addr   { return netip.Addr{} }
func (t *target) SrcIP() netip.Addr   { return netip.Addr{} }
