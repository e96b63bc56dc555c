// Package wg is the seam between a node's engine and its WireGuard tunnel. The engine says which peers there are and where each
// might be found; the tunnel encrypts, tries the candidates, keeps the one that answers, and tells what it sees.
//
// The first tunnel stands on golang.zx2c4.com/wireguard (New); the seam is narrow because our own packet engine replaces it. The
// twin for the simulation is Memory: it speaks no WireGuard, but opens and renews sessions, tries candidates and honours Allowed
// alike.
//
// # How the library is made to try candidates
//
// The library knows one endpoint a peer, and sets it to wherever an authenticated packet came from. Before that, and after Wake, a
// peer's endpoint is a *target: a conn.Endpoint that names the peer instead of an address. Our bind stands between the library and
// its sockets; a handshake initiation goes where core/path says, be it to a target or to an address, everything else goes where the
// library says. Packets in between cost one type switch.
package wg

import (
	"net/netip"
	"time"

	"golang.zx2c4.com/wireguard/device"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/path"
)

// Bounds.
const (
	// MaxCandidates is how many addresses of one peer are tried; more are ignored.
	MaxCandidates = path.MaxCandidates
	// MaxAllowed is how many ranges one peer may have.
	MaxAllowed = 4096
	// MaxPeers is how many peers a tunnel takes.
	MaxPeers = device.MaxPeers
)

// DefaultPort is the UDP port that a tunnel takes if it is given none and this one is free.
const DefaultPort = 41641

// Peer is what the engine wants of one peer.
type Peer struct {
	Key        key.WGPublic
	Allowed    []netip.Prefix   // source addresses that the peer may use and destinations that go to it
	Candidates []netip.AddrPort // where it may be reached, most wanted first; at most MaxCandidates count
}

// PeerState is what the tunnel knows of one peer.
type PeerState struct {
	Key           key.WGPublic
	Endpoint      netip.AddrPort // what answered; invalid while nothing has
	LastHandshake time.Time      // zero if there was none
	RxBytes       uint64
	TxBytes       uint64
}

// Tunnel is one membership's WireGuard device. Methods may be called from any goroutine.
type Tunnel interface {
	// SetPeer adds a peer or changes it; a peer that is already so is left undisturbed.
	SetPeer(Peer) error
	// RemovePeer forgets a peer and its sessions.
	RemovePeer(key.WGPublic)
	// Wake makes the tunnel try all candidates of all peers again at once: the network has changed.
	Wake()
	// Peers tells the state of every peer, in no order.
	Peers() []PeerState
	// Port is the UDP port in use.
	Port() uint16
	// Done is closed when the tunnel has failed by itself (the TUN device was taken away, say).
	Done() <-chan struct{}
	// Close ends the tunnel and closes its TUN device.
	Close() error
}

// SourceGuard is a Tunnel that can drop packets which leave the host's side of the TUN device with a source address that is not the
// node's. The receiving end drops them too; this end saves it the work and sees its own mistakes.
type SourceGuard interface {
	// SetSources says which addresses are the node's; until it is called nothing is dropped.
	SetSources([]netip.Addr)
	// ForeignSources counts the packets dropped.
	ForeignSources() uint64
}
