package msg

import (
	"encoding/binary"
	"fmt"
)

// SPI is one side's name of an IKE SA. Zero is no name: the responder has none in the first message.
type SPI uint64

func (s SPI) String() string { return fmt.Sprintf("%016x", uint64(s)) }

// Flags of a message, §3.1. The other bits are ignored on receipt and not sent.
type Flags uint8

const (
	FromInitiator Flags = 1 << 3 // by the side that began the IKE SA, whoever began this exchange
	HigherVersion Flags = 1 << 4 // the sender could speak a higher major version
	Response      Flags = 1 << 5 // to the request with the same message ID

	knownFlags = FromInitiator | HigherVersion | Response
)

// Header is what precedes the payloads, §3.1. Its next payload, version and length follow from the rest of the message.
type Header struct {
	SPIi, SPIr SPI
	Exchange   Exchange
	Flags      Flags
	ID         uint32
}

// Has reports whether all of f are set.
func (h Header) Has(f Flags) bool { return h.Flags&f == f }

// ParseHeader reads the header of the message that b is, and checks what can be checked without looking further: enough to find
// the IKE SA, or to send a stranger away, without an allocation for a message that is well formed.
func ParseHeader(b []byte) (Header, error) {
	h, _, err := parseHeader(b)
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

func parseHeader(b []byte) (h Header, first PayloadType, err *Error) {
	s := span{b: b}
	if err = s.need(HeaderSize, "header"); err != nil {
		return h, first, err
	}
	if major := b[17] >> 4; major != 2 {
		err = s.fail(17, "header", "major version %d, not 2", major)
		err.Notify = InvalidMajorVersion
		return h, first, err
	}
	switch n := s.u32(24); {
	case int64(n) != int64(len(b)):
		return h, first, s.fail(24, "header", "length %d, but the datagram has %d bytes", n, len(b))
	case n > MaxMessage:
		return h, first, s.fail(24, "header", "length %d, we take %d", n, MaxMessage)
	}
	h = Header{
		SPIi: SPI(binary.BigEndian.Uint64(b)), SPIr: SPI(binary.BigEndian.Uint64(b[8:])),
		Exchange: Exchange(b[18]), Flags: Flags(b[19]) & knownFlags, ID: s.u32(20),
	}
	if h.SPIi == 0 {
		return h, first, s.fail(0, "header", "the initiator's SPI is zero")
	}
	return h, PayloadType(b[16]), nil
}

// append writes a header without the length, which seal puts in.
func (h Header) append(b []byte, first PayloadType) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(h.SPIi))
	b = binary.BigEndian.AppendUint64(b, uint64(h.SPIr))
	b = append(b, byte(first), 2<<4, byte(h.Exchange), byte(h.Flags&knownFlags))
	b = binary.BigEndian.AppendUint32(b, h.ID)
	return append(b, 0, 0, 0, 0)
}

// setLength makes the header at the start of b say that the message is n bytes long.
func setLength(b []byte, n int) { binary.BigEndian.PutUint32(b[24:], uint32(n)) }
