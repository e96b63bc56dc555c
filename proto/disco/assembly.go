package disco

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// AssemblyLife is how long an Assembly waits for the parts that are missing.
const AssemblyLife = 5 * time.Second

// Assembly puts the parts of a peer's message together. It holds one message at a time, at most MaxParts of MaxPart bytes: a part of
// another begins anew, for whoever sends one has given the other up. The zero Assembly is ready.
type Assembly struct {
	data     []byte
	exchange uint64
	since    mono.Time
	length   int
	step, of uint8
	have     uint8 // a bit for each part
}

// Add takes a part. It returns the whole message, which is the caller's, when no part of it is missing any more; nil: not yet.
func (a *Assembly) Add(now mono.Time, m *Message) []byte {
	if m.Kind != Part || !m.sound() {
		return nil
	}
	if a.data == nil || a.exchange != m.ID || a.step != m.Step || a.of != m.Of {
		*a = Assembly{data: make([]byte, int(m.Of)*MaxPart), exchange: m.ID, step: m.Step, of: m.Of, since: now}
	}
	if bit := uint8(1) << m.Index; a.have&bit == 0 {
		a.have |= bit
		a.length += copy(a.data[int(m.Index)*MaxPart:], m.Data)
	}
	if a.have != 1<<a.of-1 {
		return nil
	}
	whole := a.data[:a.length]
	*a = Assembly{}
	return whole
}

// Deadline is when Expire wants to be called; Never: nothing waits.
func (a *Assembly) Deadline() mono.Time {
	if a.data == nil {
		return mono.Never
	}
	return a.since.Add(AssemblyLife)
}

// Expire forgets a message whose parts did not all come in time.
func (a *Assembly) Expire(now mono.Time) {
	if a.data != nil && now.Sub(a.since) >= AssemblyLife {
		*a = Assembly{}
	}
}

// Split returns the parts of a message of a key exchange. It panics if the message is empty or longer than MaxParts of MaxPart bytes:
// both are mistakes of the program. The parts' Data points into message.
func Split(exchange uint64, step uint8, message []byte) []Message {
	of := (len(message) + MaxPart - 1) / MaxPart
	if of == 0 || of > MaxParts {
		panic("disco: a message of no length that can be split")
	}
	parts := make([]Message, of)
	for i := range parts {
		rest := message[i*MaxPart:]
		parts[i] = Message{Kind: Part, ID: exchange, Step: step, Index: uint8(i), Of: uint8(of), Data: rest[:min(len(rest), MaxPart)]}
	}
	return parts
}
