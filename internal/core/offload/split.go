package offload

import "encoding/binary"

// The flags of a TCP header's byte 13 (RFC 9293, section 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
	flagURG
	flagECE
	flagCWR
)

// Splitter makes the packets of one Super after another, each in the memory of the Super: its headers are written in front of its
// payload, over the end of the packet before. So no payload is ever copied, and a packet lasts only until the next is made. The zero
// Splitter has no packets; Start gives it some.
type Splitter struct {
	// Partial leaves the checksums of the packets of trains partial, in Layout's sense, for a Joiner at the other end. Start does not touch it.
	Partial bool

	layout      Layout // of the Super
	packet      []byte // of the Super
	count, next int    // packets there are, and are made
	v4          bool   // the packets are IPv4
	plain       bool   // a Joiner can tell what they are
	flags       byte   // TCP
	id          uint16 // IPv4 identification of the first packet
	sequence    uint32 // TCP, of the first packet
	ip          Sum    // of the IPv4 header without length and identification
	transport   Sum    // of the transport and pseudo header without lengths, sequence and flags
	begun       Sum    // of the pseudo header alone, without the length
	headers     [maxHeaders]byte
}

// Count is how many packets the Super has, those already made included: at most MaxSegments.
func (s *Splitter) Count() int { return s.count }

// Next makes the next packet, complete with its checksums, and nil when there are no more. The packet before is destroyed. What lies
// behind the packet, up to its capacity, belongs to the packets to come and is not to be written.
func (s *Splitter) Next() []byte {
	if s.next == s.count {
		return nil
	}
	i := s.next
	s.next++
	if s.layout.Protocol == None {
		return s.single()
	}
	at := i * s.layout.Segment
	p := s.packet[at:min(at+s.layout.Headers+s.layout.Segment, len(s.packet))]
	copy(p, s.headers[:s.layout.Headers])
	s.finishIP(p, i)
	if s.layout.Protocol == TCP {
		s.finishTCP(p, i)
	} else {
		s.finishUDP(p)
	}
	return p
}

// single is a packet that needs no more than a checksum. 0 is written as 0xffff, which is the same number: UDP takes 0 for none.
func (s *Splitter) single() []byte {
	if s.layout.Partial {
		h := s.packet[s.layout.Start:]
		binary.BigEndian.PutUint16(h[s.layout.Offset:], nonzero(Sum(0).Bytes(h).Checksum()))
	}
	return s.packet
}

func (s *Splitter) finishIP(p []byte, i int) {
	if !s.v4 {
		binary.BigEndian.PutUint16(p[4:], uint16(len(p)-sizeIPv6))
		return
	}
	varying := uint32(len(p))<<16 | uint32(s.id+uint16(i))
	binary.BigEndian.PutUint32(p[2:], varying)
	binary.BigEndian.PutUint16(p[10:], s.ip.Number(varying).Checksum())
}

func (s *Splitter) finishTCP(p []byte, i int) {
	flags, sequence := s.flags, s.sequence+uint32(i*s.layout.Segment)
	if i > 0 {
		flags &^= flagCWR
	}
	if i < s.count-1 {
		flags &^= flagFIN | flagPSH
	}
	h := p[s.layout.Start:]
	binary.BigEndian.PutUint32(h[4:], sequence)
	h[13] = flags
	if s.leaves() {
		binary.BigEndian.PutUint16(h[checksumTCP:], s.begun.Number(uint32(len(h))).Fold())
		return
	}
	sum := s.transport.Number(uint32(len(h))<<16 | uint32(flags)).Number(sequence).Bytes(p[s.layout.Headers:])
	binary.BigEndian.PutUint16(h[checksumTCP:], sum.Checksum())
}

func (s *Splitter) finishUDP(p []byte) {
	h := p[s.layout.Start:]
	length := uint32(len(h)) // once in the header, once in the pseudo header
	binary.BigEndian.PutUint16(h[4:], uint16(length))
	if s.leaves() {
		binary.BigEndian.PutUint16(h[checksumUDP:], s.begun.Number(length).Fold())
		return
	}
	sum := s.transport.Number(length<<16 | length).Bytes(p[s.layout.Headers:])
	binary.BigEndian.PutUint16(h[checksumUDP:], nonzero(sum.Checksum()))
}

// leaves reports whether the checksums of this train are left to the other end.
func (s *Splitter) leaves() bool { return s.Partial && s.plain }

func nonzero(checksum uint16) uint16 {
	if checksum == 0 {
		return 0xffff
	}
	return checksum
}
