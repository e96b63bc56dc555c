package tunnel

import "sync/atomic"

// Reason says why a packet or message was dropped. Nothing that a stranger sends is an error of the program, so it is a number to
// count.
type Reason uint8

// The reasons. OK, the zero Reason, is none.
const (
	OK Reason = iota

	// Packets of this host on their way out.
	NoRoute       // to an address that belongs to no peer
	ForeignSource // from an address that is not this node's
	FilteredOut   // policy says no
	NoSession     // the peer has not answered, and no more packets wait for it
	NoPath        // no place is known where the peer might be
	TooBig        // larger than the path takes; the sender was told if that is possible
	BadPacket     // not an IP packet, or a train that contradicts itself

	// Datagrams on their way in.
	Unclaimed     // of no protocol that is spoken here
	UnknownSender // delivered by a relay for nobody we know
	Malformed     // too short or misshapen for its protocol
	UnknownIndex  // for no session or handshake of ours
	Forged        // the cryptography says no
	Replayed      // seen before, or too old to tell
	Expired       // for a session that is too old
	Spoofed       // from an inner address that is not its sender's
	FilteredIn    // policy says no
	Unselected    // not of the traffic that was agreed on with its sender
	Lent          // for a session whose packets are opened elsewhere, by the kernel

	// Control messages.
	Unaddressed  // the sender does not know our public key
	Challenged   // under load: the sender was asked to prove its address
	Paced        // too many in too short a time
	UnknownPeer  // authentic as far as can be told, but nobody we know
	TooManyPeers // the bound on peers is reached
	Unshared     // unanswered because there is no preshared key yet, and must be one
	Crossed      // unanswered because ours is on its way to the same peer
	Crowded      // more than its sender's share while there is a flood, or than the owner's queue holds

	NoMemory // the memory for packets (data_memory) is used up

	reasons // how many there are
)

var reasonNames = [reasons]string{
	"ok",
	"no_route", "foreign_source", "filtered_out", "no_session", "no_path", "too_big", "bad_packet",
	"unclaimed", "unknown_sender", "malformed", "unknown_index", "forged", "replayed", "expired", "spoofed_source", "filtered_in", "unselected", "lent",
	"unaddressed", "challenged", "paced", "unknown_peer", "too_many_peers", "unshared", "crossed", "crowded",
	"no_memory",
}

// String returns a short name that is fit for a counter's label.
func (r Reason) String() string {
	if r >= reasons {
		return "invalid"
	}
	return reasonNames[r]
}

// tally counts drops by reason.
type tally [reasons]atomic.Uint64

func (t *tally) add(r Reason, n int) { t[r].Add(uint64(n)) }

// show returns what is not zero.
func (t *tally) show() map[string]uint64 {
	m := map[string]uint64{}
	if t == nil {
		return m
	}
	for r := range t {
		if n := t[r].Load(); n > 0 && Reason(r) != OK {
			m[Reason(r).String()] = n
		}
	}
	return m
}
