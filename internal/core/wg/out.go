package wg

import "github.com/cvlan/cvlan/internal/base/key"

// Out is what a call to a Machine wants done. The caller owns and reuses it; calls append, Reset empties.
type Out struct {
	Transmits []Transmit
	Events    []Event

	bytes []byte // what Transmits point into
}

// Reset makes o empty. What its Transmits pointed at may be overwritten from then on.
func (o *Out) Reset() {
	clear(o.Events) // let go of the sessions
	o.Transmits, o.Events, o.bytes = o.Transmits[:0], o.Events[:0], o.bytes[:0]
}

// Transmit is one datagram to send.
type Transmit struct {
	// Peer is who it is for; zero for the cookie reply to a stranger.
	Peer key.WGPublic
	// To is where the message came from that this answers; zero: where the path layer sends for Peer.
	To Source
	// Data is valid until Out is reset.
	Data []byte
}

// EventKind says what happened.
type EventKind uint8

const (
	// EventPeerAdded: a stranger has proved itself and Config.Lookup knew it. It stays until Machine.Remove.
	EventPeerAdded EventKind = iota + 1
	// EventInstalled: Session may receive from now on.
	EventInstalled
	// EventCurrent: Session is what Peer's packets are sealed with from now on. Waiting packets may go.
	EventCurrent
	// EventRetired: Session is of no further use in either direction.
	EventRetired
	// EventHeard: an authentic message came from Source, which is not where the one before came from.
	EventHeard
	// EventSilent: data was sent and nothing at all came back for 15 s. A handshake is on its way.
	EventSilent
	// EventGaveUp: no answer to a handshake for RekeyAttemptTime; waiting packets may be dropped. The next Wake tries again.
	EventGaveUp
	// EventMismatch: a handshake with a Guarded peer failed, because there is no preshared key for it, or none that opens the peer's
	// response. A response that is forged looks the same.
	EventMismatch
)

// String returns a name for logs and tests.
func (k EventKind) String() string {
	switch k {
	case EventPeerAdded:
		return "peer added"
	case EventInstalled:
		return "installed"
	case EventCurrent:
		return "current"
	case EventRetired:
		return "retired"
	case EventHeard:
		return "heard"
	case EventSilent:
		return "silent"
	case EventGaveUp:
		return "gave up"
	case EventMismatch:
		return "mismatch"
	}
	return "invalid"
}

// Event is something that the engine acts upon.
type Event struct {
	Kind    EventKind
	Peer    key.WGPublic
	Session *Session // with EventInstalled, EventCurrent and EventRetired
	Source  Source   // with EventHeard
}

// room returns n zero bytes that live as long as o's Transmits.
func (o *Out) room(n int) []byte {
	if cap(o.bytes)-len(o.bytes) < n {
		o.bytes = make([]byte, 0, max(2*cap(o.bytes), 4096, n)) // Transmits keep what the old one held
	}
	start := len(o.bytes)
	o.bytes = o.bytes[:start+n]
	b := o.bytes[start : start+n : start+n]
	clear(b)
	return b
}

func (o *Out) transmit(to key.WGPublic, at Source, data []byte) {
	o.Transmits = append(o.Transmits, Transmit{Peer: to, To: at, Data: data})
}

func (o *Out) session(kind EventKind, s *Session) {
	if s != nil {
		o.Events = append(o.Events, Event{Kind: kind, Peer: s.peer, Session: s})
	}
}

func (o *Out) event(kind EventKind, p *peer) {
	o.Events = append(o.Events, Event{Kind: kind, Peer: p.public})
}
