package tunnel

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/relay"
)

// place is where datagrams come from or go to: an address, seen from one of ours, or a peer behind a relay.
type place struct {
	id     Source
	remote netip.AddrPort // relayed: the relay, or invalid while there is no lane
	local  netip.Addr     // invalid: the system chooses
	slot   uint8          // of the relay; 0: direct
	peer   *Peer          // relayed: who is there
	lane   *Lane          // relayed: how to send there; nil: there is none yet
	relay  bool           // the relay itself, to which all leaves from one socket, be it in a lane or not
	spare  *spare         // the socket that was reached, or is to send; nil: the worker's own
}

// Path is a way to a peer.
type Path struct {
	place
	limit atomic.Int32 // the largest inner packet that passes whole, in bytes; 0: not known to be limited
	hole  atomic.Bool  // larger ones vanish, also in fragments of the outer datagram, which nobody makes

	// What only the owner touches.
	probed int  // the longest datagram that passes, without the relay's header, as the guide has found out; 0: it has not
	wide   int  // the MTU of the way, as the system says,
	hinted bool // if it has said so
}

// Slot is that of the relay which the way leads through; 0: it is direct.
func (p *Path) Slot() uint8 { return p.slot }

// Remote is where datagrams go: the peer, or the relay.
func (p *Path) Remote() netip.AddrPort { return p.remote }

// head is how many bytes stand before each datagram that goes there.
func (p *place) head() int {
	if p.lane == nil {
		return 0
	}
	return relay.HeaderSize
}

// origin tells a place to transports and guides. One behind a relay has an address of its own, which no packet can come from: what is
// bound to an address, such as a cookie, is then bound to the peer behind it.
func (p *place) origin() Origin {
	o := Origin{Source: p.id, Addr: p.remote, Local: p.local, Slot: p.slot, Peer: p.peer}
	if p.spare != nil {
		o.Socket = p.spare.number
	}
	if p.peer != nil {
		a := [16]byte{0x01, 0x00, 7: p.slot} // 100::/64, the discard prefix (RFC 6666)
		binary.BigEndian.PutUint64(a[8:], uint64(p.id))
		o.Addr = netip.AddrPortFrom(netip.AddrFrom16(a), 1)
	}
	return o
}

// placeOf names a place at an address.
func (t *Tunnel) placeOf(remote netip.AddrPort, local netip.Addr, x *spare) place {
	type all struct {
		remote netip.AddrPort
		local  netip.Addr
		x      *spare
	}
	id := Source(maphash.Comparable(t.seed, all{remote, local, x}))
	return place{id: max(id, 1), remote: remote, local: local, spare: x}
}

// relayed names a place behind a relay.
func (t *Tunnel) relayed(p *Peer, slot uint8) place {
	type both struct {
		peer key.WGPublic
		slot uint8
	}
	id := Source(maphash.Comparable(t.seed, both{p.key, slot}))
	return place{id: max(id, 1), slot: slot, peer: p}
}

// expected is whom a relay's tag stands for.
type expected struct {
	from netip.AddrPort // the relay
	peer *Peer
	slot uint8
}
