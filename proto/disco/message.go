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
	MaxAddresses = 16
	MaxPart      = 640 // bytes
	MaxParts     = 4
)

const (
	pongSize = 1 + 8 + 18 + 2
	// MinPing is the length of the shortest ping's datagram, and of every pong's, in bytes.
	MinPing = Overhead + pongSize
)

// Message is one message. Which fields it has stands in the package comment.
type Message struct {
	Kind      Kind
	ID        uint64           // transaction, generation or exchange
	Size      int              // datagram's length: of the ping itself, of the ping that a pong answers, or the path's
	Addresses []netip.AddrPort // of a pong exactly one
	Step      uint8
	Index, Of uint8
	Data      []byte
}

var errUnsound = errors.New("disco message refused: not of the form of its kind")

func (m *Message) append(b []byte) ([]byte, error) {
	b = append(b, byte(m.Kind))
	if m.Kind != PathMTU {
		b = binary.BigEndian.AppendUint64(b, m.ID)
	}
	switch m.Kind {
	case Ping:
		if m.Size > MaxDatagram {
			return nil, errUnsound
		}
		b = append(b, make([]byte, max(m.Size, MinPing)-Overhead-len(b))...)
	case Offer:
		b = append(b, byte(len(m.Addresses)))
	case Part:
		b = append(append(b, m.Step, m.Index, m.Of), m.Data...)
	}
	for _, a := range m.Addresses {
		ip := a.Addr().As16()
		b = binary.BigEndian.AppendUint16(append(b, ip[:]...), a.Port())
	}
	if m.Kind == Pong || m.Kind == PathMTU {
		b = binary.BigEndian.AppendUint16(b, uint16(m.Size))
	}
	_, err := parse(b)
	return b, err
}

func parse(b []byte) (m Message, err error) {
	if len(b) < 3 {
		return m, errUnsound
	}
	m.Kind, b = Kind(b[0]), b[1:]
	if m.Kind == PathMTU {
		m.Size = int(binary.BigEndian.Uint16(b))
		return m, sound(len(b) == 2)
	}
	if len(b) < 8 {
		return m, errUnsound
	}
	m.ID, b = binary.BigEndian.Uint64(b), b[8:]
	switch m.Kind {
	case Ping:
		m.Size = len(b) + 9 + Overhead
		return m, sound(m.Size >= MinPing)
	case Pong:
		if len(b) != 20 {
			return m, errUnsound
		}
		m.Size = int(binary.BigEndian.Uint16(b[18:]))
		m.Addresses = addresses(b[:18])
		return m, nil
	case Offer:
		if len(b) < 1 || b[0] > MaxAddresses || len(b) != 1+18*int(b[0]) {
			return m, errUnsound
		}
		m.Addresses = addresses(b[1:])
		return m, nil
	case Part:
		if len(b) < 4 || len(b) > 3+MaxPart {
			return m, errUnsound
		}
		m.Step, m.Index, m.Of, m.Data = b[0], b[1], b[2], b[3:]
		return m, sound(m.Of <= MaxParts && m.Index < m.Of && (m.Index == m.Of-1 || len(m.Data) == MaxPart))
	}
	return m, errUnsound
}

func sound(ok bool) error {
	if !ok {
		return errUnsound
	}
	return nil
}

func addresses(b []byte) (all []netip.AddrPort) {
	for ; len(b) >= 18; b = b[18:] {
		all = append(all, netip.AddrPortFrom(netip.AddrFrom16([16]byte(b)).Unmap(), binary.BigEndian.Uint16(b[16:])))
	}
	return all
}
