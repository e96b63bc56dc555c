package ipsec

import (
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Keyer agrees with peers on keys: it is IKE. One goroutine, the tunnel's owner, calls it. While it is called it may use its Host, whose
// effects take place when it returns.
type Keyer interface {
	// Message takes a message of IKE. It keeps no part of it.
	Message(now mono.Time, from tunnel.Origin, message []byte) tunnel.Reason
	// Press says that messages arrive faster than they are handled.
	Press(now mono.Time)
	// Put tells that a peer is new or that what it is configured with has changed. After an error the Keyer is as it was.
	Put(now mono.Time, p *tunnel.Peer) error
	// Remove forgets a peer; its pairs are gone already.
	Remove(p *tunnel.Peer)
	// Want says that packets wait for a peer that has no usable pair. It may be called for every packet.
	Want(now mono.Time, p *tunnel.Peer)
	// Doubt says that packets have waited though there is a usable pair: for it, a moment ago, or for a way. The peer may have forgotten it
	// meanwhile. It may be called for every packet.
	Doubt(now mono.Time, p *tunnel.Peer)
	// Renew says that what there is with a peer may be dead: the host has slept, or the network is another.
	Renew(now mono.Time, p *tunnel.Peer)
	// Due says that a pair, by our SPI, needs a successor soon. It is said again until there is one.
	Due(now mono.Time, p *tunnel.Peer, s esp.SPI)
	// Expired says that a pair has come to its end, and that the peer has not been told.
	Expired(now mono.Time, p *tunnel.Peer, s esp.SPI)
	// Silent says that packets were sent and nothing has come back for a while. If the peer lives, so be it: traffic may go one way.
	Silent(now mono.Time, p *tunnel.Peer)
	// Deadline is when Tick wants to be called; Never: not before the next input.
	Deadline() mono.Time
	Tick(now mono.Time)
	// Status tells about a peer: when an exchange of keys was completed last, Never if none was, and whether one is under way.
	Status(p *tunnel.Peer) (last mono.Time, attempting bool)
}

// Host is what a Keyer may do while it is called.
type Host interface {
	// Find returns the tunnel's peer with a key, nil if there is none.
	Find(key.WGPublic) *tunnel.Peer
	// Clock is what all instants come from.
	Clock() mono.Clock
	// SPI reserves an SPI to be offered to a peer; Release takes one back that came to nothing.
	SPI() (esp.SPI, error)
	Release(esp.SPI)
	// TakesPartial reports whether packets with partial checksums may come by a pair that is being agreed on.
	TakesPartial() bool
	// Install makes a pair with a peer. k.Local must be reserved; after an error it still is.
	Install(now mono.Time, p *tunnel.Peer, k esp.Keys) error
	// Delete ends a pair by our SPI.
	Delete(now mono.Time, s esp.SPI)
	// Pairs tells about a peer's pairs.
	Pairs(p *tunnel.Peer) []esp.Status
	// Send sends a message of IKE. It is copied.
	Send(m Message)
	// Heard says that an authentic message came from a place.
	Heard(p *tunnel.Peer, from tunnel.Source)
	// GiveUp lets go of the packets that wait for a peer.
	GiveUp(p *tunnel.Peer)
}

// Message is one of IKE to send.
type Message struct {
	Peer *tunnel.Peer  // nil: To alone counts
	To   tunnel.Source // where the message came from that this answers; 0: where Peer is
	// At is an address that a peer has named, from which nothing has been heard; invalid: as the others say.
	At netip.AddrPort
	// Opening says that the message begins a conversation, so that it goes wherever the peer might be.
	Opening bool
	Data    []byte
}

// BuildKeyer makes a Keyer for a transport.
type BuildKeyer func(Host) (Keyer, error)
