package ike

import (
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Out is what a call to a Machine wants done. The caller owns and reuses it; calls append, Reset empties. Events come before
// Transmits: a Child SA must receive before the message leaves that makes the peer use it.
type Out struct {
	Transmits []Transmit
	Events    []Event
	// Crowded says that a stranger was asked for a cookie or turned away, because there are too many.
	Crowded bool
}

// Reset makes o empty.
func (o *Out) Reset() {
	clear(o.Transmits)
	clear(o.Events) // let go of keys
	o.Transmits, o.Events, o.Crowded = o.Transmits[:0], o.Events[:0], false
}

// Transmit is one message to send. The non-ESP marker before it is the socket's.
type Transmit struct {
	Path Path
	Data []byte // not to be changed
	// Beside is the session's own path, where this is a copy to a further address of the peer. The ports are the same.
	Beside Path
}

// ID names what we have with a peer from Initiate, or Up, to Down. It outlives the IKE SAs that replace each other.
type ID uint64

// EventKind says what happened.
type EventKind uint8

// The kinds.
const (
	EventUp          EventKind = iota + 1 // the peer has proved who it is
	EventDown                             // all SAs with the peer are gone, or an attempt came to nothing; Reason says why
	EventRefused                          // a stranger did not prove who it is; ID is 0
	EventRekeyed                          // another IKE SA serves from now on
	EventChildUp                          // Child can be installed
	EventChildDown                        // Child is to be deleted; its keys are left out
	EventChildGone                        // like EventChildDown, because another replaces it
	EventChildFailed                      // the peer did not agree to a Child SA; Reason says why
	EventMoved                            // messages go by Path from now on, and so should packets
	EventHeard                            // an authentic message came by Path, which is not ours; nothing changed
	EventFault                            // a bug of ours was kept from doing more harm; Reason says which
)

// String returns a name for logs and tests.
func (k EventKind) String() string {
	names := [...]string{"invalid", "up", "down", "refused", "rekeyed", "child up", "child down", "child gone", "child failed", "moved",
		"heard", "fault"}
	if int(k) >= len(names) {
		return "invalid"
	}
	return names[k]
}

// Reason is why something ended.
type Reason uint8

// The reasons.
const (
	NoReason       Reason = iota
	Asked                 // the caller wanted it
	PeerAsked             // the peer wanted it
	NoAnswer              // the peer is not there
	RefusedByPeer         // Event.Notify says how
	NotProved             // the peer is not who it says, or we do not know it
	Unusable              // the peer's message makes no sense, or takes what was not offered
	Replaced              // another IKE SA with the same peer came up
	NotFound              // the peer does not know it any more
	TooMany               // our limits
	OwnFault              // we have no key, no random numbers, no SPI
	HalfOpenTooOld        // it took too long
	ProofOver             // the peer has not proved itself anew
)

// String returns a name for logs and people.
func (r Reason) String() string {
	names := [...]string{"no reason", "asked", "peer asked", "no answer", "refused by peer", "not proved", "unusable answer", "replaced",
		"not found by peer", "too many", "own fault", "took too long",
		"proof over"}
	if int(r) >= len(names) {
		return "invalid"
	}
	return names[r]
}

// Event is something that the owner acts upon, or logs.
type Event struct {
	Kind     EventKind
	ID       ID
	Peer     string // Peer.Name
	Identity msg.Identity
	Path     Path
	Child    ChildSA        // with the four about Child SAs
	Reason   Reason         // with EventDown, EventRefused, EventChildFailed, EventFault
	Notify   msg.NotifyType // with RefusedByPeer
	Detail   string         // for logs; nothing secret
	NAT      NAT            // with EventUp and EventMoved
	Cipher   string         // of the IKE SA, with EventUp and EventRekeyed
	Inside   Inside         // with EventUp: what the peer lends to us, or we to it
}

// NAT says which ends have one before them.
type NAT struct{ Local, Remote bool }

// ChildSA is a pair of SAs for ESP in tunnel mode.
type ChildSA struct {
	In, Out               uint32 // SPIs: that we receive on, that we send to
	Encryption, Integrity msg.Transform
	KeyIn, KeyOut         []byte // encryption, then integrity (RFC 7296 §2.17)
	Extended              bool   // sequence numbers
	Ours, Theirs          []msg.Selector
	TakesPartial          bool   // the peer takes packets with partial checksums
	MayBePartial          bool   // the peer may send such
	Replaces              uint32 // SPI that we receive on of the one that it is to replace; 0: none
	Answered              bool   // the peer asked for it, and may not have it yet
}

func (o *Out) transmit(p Path, datagrams ...[]byte) {
	for _, d := range datagrams {
		o.Transmits = append(o.Transmits, Transmit{Path: p, Data: d})
	}
}
