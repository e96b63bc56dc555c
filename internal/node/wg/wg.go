// Package wg is the seam between a node's engine and its WireGuard tunnel. The engine says which peers there are and where each
// might be found; the tunnel encrypts, tries the candidates, keeps the one that answers, and tells what it sees.
//
// The first tunnel stands on golang.zx2c4.com/wireguard; the seam is narrow because our own packet engine replaces it.
package wg

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
)

// Bounds.
const (
	// MaxCandidates is how many addresses of one peer are tried; more are ignored.
	MaxCandidates = 16
)

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
