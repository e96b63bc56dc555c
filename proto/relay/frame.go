package relay

import (
	"encoding/binary"
	"errors"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Sizes in bytes, and names, of the wire.
const (
	ALPN        = "cvlan-relay/1"
	Version     = 2    // of the registration; frames are those of version 1
	Type        = 0x20 // the first byte of every frame
	HeaderSize  = 16
	MinPayload  = 16
	MinData     = HeaderSize + MinPayload
	ControlSize = 56
	NoticeSize  = 32
	MaxFrame    = 16 << 10
	MaxCall     = ControlSize + 1500 // of a Call, with its payload
	MaxRegister = 2 << 10

	bodyAt = HeaderSize
	macAt  = 40
)

// Kind is the second byte of a frame.
type Kind uint8

// The kinds of frames.
const (
	Data Kind = iota
	Deliver
	Bind
	Cookie
	Bound
	Open
	Opened
	Close
	Keepalive
	Alive
	Refused
	Bye
	Closed
	Unknown
	Register
	Registered
	Ask // between relays, as See
	See
	Call    // Open with a payload behind it
	Offered // a channel that the relay has opened unasked

	kinds
)

// Reason says why something was refused or ended.
type Reason uint8

// The reasons. A receiver treats one that it does not know like Busy.
const (
	NoReason     Reason = iota
	Busy                // a bound of the relay is reached; try later or elsewhere
	Absent              // the destination is not registered here
	TooMany             // the client or its tenant has as many channels or clients as it may have
	Draining            // the relay takes nothing new
	Gone                // the destination left or registered anew
	Unsupported         // no common version
	NotPermitted        // not this node, not here

	reasons
)

// String returns a short name that is fit for a counter's label.
func (r Reason) String() string {
	names := [reasons]string{"none", "busy", "absent", "too_many", "draining", "gone", "unsupported", "not_permitted"}
	if r >= reasons {
		return "unknown"
	}
	return names[r]
}

// Unasked is in the transactions of what a relay says without being asked, and in no node's: a mask hides one name only.
const Unasked = 1 << 63

// Number names a client to the relay in control frames, and a channel in data frames. Zero is none.
type Number uint32

// Secret is what a registration gives to a client.
type Secret [32]byte

// String keeps the secret out of logs.
func (Secret) String() string { return "relay secret" }

// GoString keeps the secret out of logs.
func (Secret) GoString() string { return "relay secret" }

// ErrMalformed is returned for bytes that are no frame of the kind that is asked for.
var ErrMalformed = errors.New("malformed relay frame")

// KindOf tells the kind of a frame by its first four bytes; false if it is none.
func KindOf(b []byte) (Kind, bool) {
	if len(b) < HeaderSize || b[0] != Type || Kind(b[1]) >= kinds {
		return 0, false
	}
	return Kind(b[1]), true
}

// NumberOf reads the number in a frame that KindOf has accepted.
func NumberOf(b []byte) Number { return Number(binary.BigEndian.Uint32(b[4:])) }

// Tag stands for a sending node in frames to one receiver.
type Tag uint64

// TagOf computes the tag of a sending node under the receiver's secret.
func TagOf(receiver *Secret, from ident.Node) Tag {
	sum := derive(receiver, "cvlan relay from v1", binary.BigEndian.AppendUint64(nil, uint64(from)))
	return Tag(binary.BigEndian.Uint64(sum[:]))
}
