package tunnel

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// Sealer makes datagrams of the packets for one peer. Any number of workers use it at the same time; it neither locks nor
// allocates.
type Sealer interface {
	// Reserve takes n consecutive counters and returns the first; false when the session is used up or too old.
	Reserve(now mono.Time, n int) (first uint64, ok bool)
	// Seal appends the datagram for a packet to dst, which has Overhead bytes of room beyond the packet's length. limit is the MTU of
	// the inside, up to which padding may go. A packet that the session may not carry is left out: dst comes back as it was.
	Seal(dst []byte, counter uint64, packet []byte, limit int) []byte
	// Sent marks that packets were sealed and sent, once for a batch. It reports whether the owner should be told (Transport.Attend).
	Sent(now mono.Time) (tell bool)
}

// Opener makes packets of the datagrams from one peer, under the same conditions as a Sealer.
type Opener interface {
	// Open returns the packet in a datagram, in place; padding may follow it. A keepalive is a packet of no bytes. After a
	// refusal the datagram's content is lost.
	Open(now mono.Time, datagram []byte) (packet []byte, why Reason)
	// Received marks that datagrams were opened, once for a batch that came from one place; data is false if all were keepalives. It
	// reports whether the owner should be told.
	Received(now mono.Time, from Source, data bool) (tell bool)
}

// Session is what a Transport makes of a handshake.
type Session interface {
	Sealer
	Opener
	// Class is that of the datagrams which carry its packets.
	Class() Class
	// Usable reports whether Reserve would succeed for one packet.
	Usable(now mono.Time) bool
	// Overhead is how many bytes a datagram has beyond its packet, at most.
	Overhead() int
	// Index is the number by which datagrams name the session, within its Transport.
	Index() uint32
}

// Lendable is a Session whose packets may be opened elsewhere, so that Open refuses them (Lent).
type Lendable interface {
	// Stray says that a datagram for it came to an address of ours all the same. An invalid address stands for every way that leads to none of
	// them on the tunnel's own port, such as a relay's.
	Stray(to netip.Addr)
}

// Trusting is a Session whose peer takes packets with partial checksums (offload.Layout): what the session opens is as it was sealed, to the last bit.
type Trusting interface{ TakesPartial() bool }

// Overhead is the most that any protocol adds to a packet: header, padding, trailer and tag, in bytes.
const Overhead = 64

// Source names a place that datagrams come from; 0 is none. Equal places have equal names for the life of a tunnel.
type Source uint64

// Origin is where a control message came from.
type Origin struct {
	Source Source
	Addr   netip.AddrPort // for a peer behind a relay one that stands for it
	Local  netip.Addr     // which of our addresses it came to; invalid: not known
	Socket uint16         // the spare socket that it came to; 0: one of the tunnel's own
	Slot   uint8          // the relay that delivered it; 0: none
	Peer   *Peer          // who sent it, as the relay says
}

// Transport is a tunnel protocol: handshakes, timers and keys. Paths, routes, filters and counters are the tunnel's and know nothing of
// it. One goroutine, the tunnel's owner, calls a Transport; the sessions that it makes are used by workers.
type Transport interface {
	// Control takes a message that is no data. It keeps no part of it.
	Control(now mono.Time, from Origin, message []byte, out *Out) Reason
	// Press says that control messages arrive faster than they are handled.
	Press(now mono.Time)
	// Put tells that a peer is new or that what it is configured with has changed.
	// After an error the transport is as it was.
	Put(now mono.Time, p *Peer, out *Out) error
	// Remove forgets a peer.
	Remove(p *Peer, out *Out)
	// Wake says that somebody wishes to send to a peer without a usable session.
	Wake(now mono.Time, p *Peer, out *Out)
	// Renew makes a new session with a peer that has one, because the old one may be dead.
	Renew(now mono.Time, p *Peer, out *Out)
	// Attend reads what workers have left in a session.
	Attend(now mono.Time, s Session, out *Out)
	// Deadline is when Tick wants to be called; Never: not before the next input.
	Deadline() mono.Time
	Tick(now mono.Time, out *Out)
	// Status tells about a peer.
	Status(p *Peer) Status
}

// Status is what a Transport knows of a peer, for people.
type Status struct {
	Handshake  mono.Time // the last that was completed; Never: none
	Born       mono.Time // when the session that seals was made; Never: there is none
	Attempting bool      // a handshake is under way
	Cipher     string    // how packets are sealed, where the protocol has a choice
}

// EventKind says what happened.
type EventKind uint8

// The kinds.
const (
	Known      EventKind = iota + 1 // the transport has taken Peer, whom it found by Host.Find
	Offered                         // a peer is told Index, and may send by it a little before its session is Installed
	Withdrawn                       // it was Offered, and there will be no session
	Installed                       // Session receives from now on
	Current                         // Session is what Peer's packets are sealed with from now on
	Retired                         // Session is of no further use
	Heard                           // an authentic message came from Source, which is another place than the last
	Silent                          // data was sent and nothing came back; a handshake is on its way
	GaveUp                          // no answer to a handshake; waiting packets may go
	Bypassed                        // Peer's packets were carried around the tunnel: Sent and Received, since it was said last
	Mismatched                      // a handshake failed for want of a preshared key in common, or a forged message made it seem so
)

// Event is something that the tunnel acts upon.
type Event struct {
	Kind    EventKind
	Peer    *Peer
	Session Session
	Source  Source
	// Protocol is the class of the transport's messages, with Known and GaveUp; Unknown: that which is chosen for Peer.
	Protocol Class
	// Index is with Offered and Withdrawn: of a session of ESP.
	Index uint32
	// Sent and Received are with Bypassed.
	Sent, Received Amount
}

// Transmit is a control message to send.
type Transmit struct {
	Peer *Peer  // nil: To alone counts
	To   Source // where the message came from that this answers; 0: where Peer is
	// At is where the message goes although nothing has been heard from there, because Peer has named the address; invalid: as the others say.
	At netip.AddrPort
	// Opening says that the message begins a session, so that it goes wherever the peer might be.
	Opening bool
	Data    []byte // valid until the Transport is called again
}

// Out is what a call to a Transport wants done. The tunnel owns and reuses it; calls append.
type Out struct {
	Transmits []Transmit
	Events    []Event
}

func (o *Out) reset() {
	clear(o.Events)
	clear(o.Transmits)
	o.Events, o.Transmits = o.Events[:0], o.Transmits[:0]
}

// PeerConfig is what a tunnel is told of a peer.
type PeerConfig struct {
	Key        key.WGPublic     // its name; in WireGuard its public key
	Node       ident.Node       // that it is; zero: none of ours
	Preshared  [32]byte         // of the pair; zero: none
	Allowed    []netip.Prefix   // source addresses that the peer may use and destinations that go to it
	Besides    []netip.Prefix   // further source addresses that it may use, though what is for them goes to another
	Protocol   Class            // WireGuard or IKE; Unknown: the first of these that the tunnel speaks
	Strict     bool             // by no other protocol, from now on: packets wait until it has a session
	Guided     bool             // the tunnel's Guide knows where it is; candidates, preshared key and keepalive are its business
	Candidates []netip.AddrPort // where it may be reached, most wanted first; at most MaxCandidates count; none: those of before
	Keepalive  time.Duration    // how long the tunnel may be silent before an empty packet keeps NATs open; 0: for ever
	// TakesPartial says of the peer's sessions of WireGuard, which cannot, what Trusting sessions say of themselves; it counts from the next one on.
	TakesPartial bool
}
