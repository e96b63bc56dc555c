package path

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/proto/disco"
)

// Config is what a Finder is told once. The zero Config is useful.
type Config struct {
	Refused []netip.Prefix // where no peer is: the overlay's own addresses
	// Guess allows the guessing of ports: hundreds of sockets and probes for some seconds.
	Guess bool
}

// Known is what the map says about a peer. The Finder keeps the slice and does not change it.
type Known struct {
	Candidates []disco.Candidate
	Relays     [4]uint8 // slots of links through which the peer can be reached, best first; 0: none
	Coming     bool     // there is none of these yet, and there may be one soon: a hunt waits for it, a second at most
}

// Own is what we know about ourselves. The Finder keeps the slices and does not change them.
type Own struct {
	Candidates []disco.Candidate // of the main socket, most wanted first
	Mapping    disco.Mapping     // how the NAT before us behaves
	Prefixes   []netip.Prefix    // of our interfaces: peers in them are near, and their broadcast addresses no peers
	Lifetime   time.Duration     // for how long the NAT keeps an idle mapping, as measured; 0: unknown
}

// Cause is why Wake was called.
type Cause uint8

// The causes.
const (
	LinkChanged Cause = iota + 1 // an interface, address or route of ours came or went
	Resumed                      // the machine slept
)

// Why is the reason of a choice.
type Why uint8

// The reasons.
const (
	First     Why = iota + 1 // nothing is proven yet: the relay
	Proven                   // the first direct way that answered
	Better                   // it is better than the way before
	Silent                   // the way before does not answer any more
	RelayLost                // the relay of the way before is gone
	Moved                    // our network changed: the way before must prove itself again
	Idle                     // nothing flows: the way before is not kept open
	Agreed                   // the peer uses it, and it is as good
	Stale                    // the socket of the way before was closed, or the map took its address away
)

var whys = [...]string{"", "first", "proven", "better", "silent", "relay lost", "moved", "idle", "agreed", "stale"}

// String returns a word for people.
func (w Why) String() string {
	if int(w) < len(whys) {
		return whys[w]
	}
	return ""
}

// Send is a message that wants to be sealed and sent. A ping's Size is the length of the datagram that it should make; such datagrams
// must not be fragmented.
type Send struct {
	Peer    Peer
	Way     Way
	Message disco.Message
}

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of events.
const (
	Chosen      EventKind = iota + 1 // Peer's datagrams take Way from now on; Why tells the reason
	Lost                             // there is no way to Peer any more; Why tells the reason
	MTU                              // Way to Peer carries datagrams of Bytes
	AskPunch                         // no relay reaches Peer: have the controller tell it to start, and us
	OpenSockets                      // open Count sockets for Peer, find their outside addresses unless Count > 1, answer with SocketOpened
	CloseSocket                      // Way.Socket is not needed any more
	AskSeen                          // ask the relays whether they see Peer at the address of Way; if so, Seen is the answer
	Restun                           // our outside address may have changed: ask the STUN servers again
)

// Event is something that the owner has to act upon or may log.
type Event struct {
	Kind  EventKind
	Peer  Peer
	Way   Way
	Why   Why
	Bytes int // of a datagram, without UDP and IP headers
	Count int
}

// Decisions is what a call of a Finder decided. The caller owns and reuses it; calls append. What a Message refers to is not changed.
type Decisions struct {
	Sends  []Send
	Events []Event
}

// Reset empties d for the next call.
func (d *Decisions) Reset() { d.Sends, d.Events = d.Sends[:0], d.Events[:0] }
