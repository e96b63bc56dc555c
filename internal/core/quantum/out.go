package quantum

import (
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/disco"
)

// Out is what a call to a Machine wants done. The caller owns and reuses it; calls append, Reset empties.
type Out struct {
	Transmits []Transmit
	Events    []Event
}

// Reset makes o empty.
func (o *Out) Reset() {
	clear(o.Transmits)
	clear(o.Events) // let go of the keys
	o.Transmits, o.Events = o.Transmits[:0], o.Events[:0]
}

// Transmit is one disco message to seal and send to a peer: an answer where the question came from, all others where the peer is.
type Transmit struct {
	Peer    key.WGPublic
	Message disco.Message
	Answer  bool
}

// EventKind says what happened.
type EventKind uint8

// The kinds.
const (
	// EventKeys: the pair's keys are Keys from now on. It comes before anything that the change makes possible.
	EventKeys EventKind = iota + 1
	// EventShared: the peer has shown that it has Keys.Current; what waits for Want may go.
	EventShared
	// EventGaveUp: nobody answered, and nobody wants a key any more. The next Want tries again.
	EventGaveUp
)

// String returns a name for logs and tests.
func (k EventKind) String() string {
	switch k {
	case EventKeys:
		return "keys"
	case EventShared:
		return "shared"
	case EventGaveUp:
		return "gave up"
	}
	return "invalid"
}

// Event is something that the owner acts upon.
type Event struct {
	Kind EventKind
	Peer key.WGPublic
	Keys Keys // with EventKeys
}

// Keys are what WireGuard's handshakes of a pair mix in.
type Keys struct {
	Current key.Preshared // answers are made with it; zero: none may be made
	Other   key.Preshared // answers to our handshakes may be made with it besides; zero: there is none
}

func (o *Out) send(to key.WGPublic, exchange uint64, step uint8, message []byte, answer bool) {
	for _, part := range disco.Split(exchange, step, message) {
		o.Transmits = append(o.Transmits, Transmit{Peer: to, Message: part, Answer: answer})
	}
}
