package disco

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Kind says what a Message is.
type Kind uint8

// The kinds.
const (
	Ping Kind = iota + 1
	Pong
	Offer
	PathMTU
	Part
)

// Bounds.
const (
	MaxAddresses = 16  // of one offer
	MaxPart      = 640 // bytes
	MaxParts     = 4
)

const (
	addressSize   = 16 + 2
	candidateSize = 1 + addressSize
	offerSize     = 8 + 1 + 2 + 1
	pongSize      = 1 + 8 + addressSize + 2
	// MinPing is the length of the shortest ping's datagram, and of every pong's, in bytes.
	MinPing = Overhead + pongSize
)

// Message is one message. Which fields it has stands in the package comment; the others are zero.
type Message struct {
	Kind       Kind
	ID         uint64           // transaction, generation or exchange
	Size       int              // datagram's length: of the ping itself, of the ping that a pong answers, or the path's
	Addresses  []netip.AddrPort // of a pong: exactly one
	Candidates []Candidate      // of an offer
	Mapping    Mapping          // of an offer
	StartIn    uint16           // of an offer: ms until its sender sends its first ping
	Step       uint8
	Index, Of  uint8
	Data       []byte
}

var errUnsound = errors.New("disco message refused: not of the form of its kind")

// append writes the message. What it refuses parse refuses too.
func (m *Message) append(b []byte) ([]byte, error) {
	if !m.sound() {
		return b, errUnsound
	}
	b = binary.BigEndian.AppendUint64(append(b, byte(m.Kind)), m.ID)
	switch m.Kind {
	case Ping:
		b = append(b, zeros[:max(m.Size, MinPing)-Overhead-9]...)
	case Pong:
		b = binary.BigEndian.AppendUint16(appendAddress(b, m.Addresses[0]), uint16(m.Size))
	case Offer:
		b = binary.BigEndian.AppendUint16(append(b, byte(m.Mapping)), m.StartIn)
		b = append(b, byte(len(m.Candidates)))
		for _, c := range m.Candidates {
			b = appendAddress(append(b, byte(c.Kind)), c.Addr)
		}
	case PathMTU:
		b = binary.BigEndian.AppendUint16(b, uint16(m.Size))
	case Part:
		b = append(append(b, m.Step, m.Index, m.Of), m.Data...)
	}
	return b, nil
}

var zeros [MaxDatagram]byte

// sound reports whether the message has the form of its kind.
func (m *Message) sound() bool {
	switch m.Kind {
	case Ping:
		return m.Size >= 0 && m.Size <= MaxDatagram
	case Pong:
		return len(m.Addresses) == 1 && m.Addresses[0].Addr().IsValid() && m.Size >= MinPing && m.Size <= MaxDatagram
	case Offer:
		for _, c := range m.Candidates {
			if c.Kind == 0 || !c.Addr.Addr().IsValid() {
				return false
			}
		}
		return len(m.Candidates) <= MaxAddresses
	case PathMTU:
		return m.Size >= 0 && m.Size <= MaxDatagram
	case Part:
		whole := m.Index+1 == m.Of || len(m.Data) == MaxPart
		return m.Of <= MaxParts && m.Index < m.Of && len(m.Data) > 0 && len(m.Data) <= MaxPart && whole
	}
	return false
}

// parse reads what append wrote. Data points into b.
func parse(b []byte) (m Message, err error) {
	if len(b) < 11 {
		return Message{}, errUnsound
	}
	m.Kind, m.ID = Kind(b[0]), binary.BigEndian.Uint64(b[1:])
	long := false
	switch b = b[9:]; m.Kind {
	case Ping:
		m.Size = len(b) + 9 + Overhead
		long = m.Size >= MinPing
	case Pong:
		if long = len(b) == addressSize+2; long {
			m.Addresses = []netip.AddrPort{address(b)}
			m.Size = int(binary.BigEndian.Uint16(b[addressSize:]))
		}
	case Offer:
		long = m.parseOffer(b)
	case PathMTU:
		m.Size = int(binary.BigEndian.Uint16(b))
		long = len(b) == 2
	case Part:
		if long = len(b) > 3; long {
			m.Step, m.Index, m.Of, m.Data = b[0], b[1], b[2], b[3:]
		}
	}
	if !long || !m.sound() {
		return Message{}, errUnsound
	}
	return m, nil
}

// parseOffer reads an offer's body; false if that is not as long as it says.
func (m *Message) parseOffer(b []byte) bool {
	const fixed = offerSize - 8
	if len(b) < fixed || b[3] > MaxAddresses || len(b) != fixed+candidateSize*int(b[3]) {
		return false
	}
	m.Mapping, m.StartIn = Mapping(b[0]), binary.BigEndian.Uint16(b[1:])
	if b[3] > 0 {
		m.Candidates = make([]Candidate, b[3])
	}
	for i := range m.Candidates {
		c := b[fixed+candidateSize*i:]
		m.Candidates[i] = Candidate{Kind: CandidateKind(c[0]), Addr: address(c[1:])}
	}
	return true
}

func appendAddress(b []byte, a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	return binary.BigEndian.AppendUint16(append(b, ip[:]...), a.Port())
}

func address(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), binary.BigEndian.Uint16(b[16:]))
}
