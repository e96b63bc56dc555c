package esp

import "github.com/cvlan/cvlan/internal/base/key"

// Out is what a call to a Machine wants done. The caller owns and reuses it; calls append, Reset empties. Events come before Transmits: a
// pair must receive before the packet leaves that makes the peer use it.
type Out struct {
	Transmits []Transmit
	Events    []Event

	bytes []byte // what Transmits point into
}

// Reset makes o empty. What its Transmits pointed at may be overwritten from then on.
func (o *Out) Reset() {
	clear(o.Events) // let go of the pairs
	o.Transmits, o.Events, o.bytes = o.Transmits[:0], o.Events[:0], o.bytes[:0]
}

// Transmit is one datagram to send where the path layer sends for Peer.
type Transmit struct {
	Peer key.WGPublic
	Data []byte // valid until Out is reset
}

// EventKind says what happened.
type EventKind uint8

// The kinds.
const (
	EventInstalled EventKind = iota + 1 // Pair may receive from now on
	EventCurrent                        // Pair is what Peer's packets are sealed with from now on; waiting packets may go
	EventDue                            // Pair is in need of a successor; it is said again until there is one
	EventExpired                        // Pair is at its end, and the peer has not been told; EventRetired follows
	EventRetired                        // Pair is of no further use in either direction
	EventHeard                          // an authentic packet came from Source, which is not where the one before came from
	EventSilent                         // packets were sent and nothing came back for a while: ask whether the peer lives
)

// String returns a name for logs and tests.
func (k EventKind) String() string {
	names := [...]string{"invalid", "installed", "current", "due", "expired", "retired", "heard", "silent"}
	if int(k) >= len(names) {
		return "invalid"
	}
	return names[k]
}

// Event is something that the engine, or IKE, acts upon.
type Event struct {
	Kind   EventKind
	Peer   key.WGPublic
	Pair   *Pair  // nil with EventHeard and EventSilent
	Source Source // with EventHeard
}

// room returns space for n bytes that lives as long as o's Transmits.
func (o *Out) room(n int) []byte {
	if cap(o.bytes)-len(o.bytes) < n {
		o.bytes = make([]byte, 0, max(2*cap(o.bytes), 1024, n)) // Transmits keep what the old one held
	}
	start := len(o.bytes)
	o.bytes = o.bytes[:start+n]
	return o.bytes[start : start : start+n]
}

func (o *Out) pair(kind EventKind, p *Pair) {
	o.Events = append(o.Events, Event{Kind: kind, Peer: p.peer, Pair: p})
}
