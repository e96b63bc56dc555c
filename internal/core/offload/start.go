package offload

import "encoding/binary"

// maxHeaders bounds the headers of a train, in bytes: the largest of IPv4 and TCP, or IPv6 with the extension headers of a sane host.
const maxHeaders = 256

// Where the checksum is in a TCP and a UDP header, in bytes.
const (
	checksumTCP = 16
	checksumUDP = 6
)

// Start begins the packets of u, and ends those of the Super before. It refuses what is malformed (the Splitter has no packets
// then): a Layout that the packet does not bear out, headers of more than 256 bytes, more than MaxSegments packets. The lengths in
// the headers of a train are written anew and may be anything.
func (s *Splitter) Start(u *Super) error {
	s.count, s.next = 0, 0
	if len(u.Packet) > MaxPacket {
		return malformed("the packet is larger than IP allows")
	}
	upper, ok := UpperOf(u.Packet)
	if !ok {
		return malformed("no IP packet")
	}
	if u.Partial && (u.Start < upper.Start || u.Start > len(u.Packet) || u.Offset < 0 || u.Offset > len(u.Packet)-u.Start-2) {
		return malformed("the checksum is not inside the packet")
	}
	s.packet, s.layout, s.count = u.Packet, u.Layout, 1
	if u.Protocol == None {
		return nil
	}
	if err := s.train(upper); err != nil {
		s.count = 0
		return err
	}
	return nil
}

// malformed says what is wrong with a Super. It is no sentinel: nothing can be done but drop and count.
type malformed string

func (m malformed) Error() string { return "offload: malformed train: " + string(m) }

// train checks the layout of more than one packet, and keeps the headers.
func (s *Splitter) train(upper Upper) error {
	l := &s.layout
	switch {
	case upper.Fragment:
		return malformed("a fragment is no train")
	case !l.Partial || l.Start != upper.Start:
		return malformed("the transport header is not where the checksum starts")
	case l.Headers < upper.Start || l.Headers > len(s.packet):
		return malformed("the headers are not inside the packet")
	case l.Headers > maxHeaders:
		return malformed("the headers are too long")
	case l.Segment <= 0 || l.Segment > MaxPacket:
		return malformed("impossible size of a segment")
	}
	s.count = max(1, (len(s.packet)-l.Headers+l.Segment-1)/l.Segment)
	if s.count > MaxSegments {
		return malformed("too many segments")
	}
	copy(s.headers[:], s.packet[:l.Headers])
	switch h := s.headers[upper.Start:l.Headers]; {
	case l.Protocol == TCP && upper.Protocol == protocolTCP && l.Offset == checksumTCP && len(h) >= sizeTCP && len(h) == int(h[12]>>4)*4:
		s.startTCP(h)
	case l.Protocol == UDP && upper.Protocol == protocolUDP && l.Offset == checksumUDP && len(h) == sizeUDP:
		s.startUDP(h)
	default:
		return malformed("the headers are not those of its protocol")
	}
	s.startIP()
	return nil
}

// startTCP sums the header but for what differs from packet to packet.
func (s *Splitter) startTCP(h []byte) {
	s.sequence, s.flags = binary.BigEndian.Uint32(h[4:]), h[13]
	s.begun = s.pseudo(h[checksumTCP:], protocolTCP)
	clear(h[4:8])
	h[13] = 0
	clear(h[checksumTCP : checksumTCP+2])
	s.transport = s.begun.Bytes(h)
}

func (s *Splitter) startUDP(h []byte) {
	s.begun = s.pseudo(h[checksumUDP:], protocolUDP)
	clear(h[4:8])
	s.transport = s.begun.Bytes(h)
}

// startIP sums the IPv4 header but for what differs from packet to packet.
func (s *Splitter) startIP() {
	h := s.headers[:s.layout.Start]
	s.v4 = h[0]>>4 == 4
	s.plain = plain(h)
	if s.v4 {
		s.id = binary.BigEndian.Uint16(h[4:])
		clear(h[2:6])
		clear(h[10:12])
		s.ip = Sum(0).Bytes(h)
	}
}

// pseudo is the sum of the pseudo header without the length. Behind extension headers it is taken from the checksum's field, where
// the kernel has put it: a routing header may hold the address that counts.
func (s *Splitter) pseudo(field []byte, protocol uint8) Sum {
	switch h := s.headers[:s.layout.Start]; {
	case h[0]>>4 == 4:
		return PseudoHeader(h[12:20], protocol, 0)
	case len(h) == sizeIPv6:
		return PseudoHeader(h[8:40], protocol, 0)
	}
	length := len(s.packet) - s.layout.Start
	return Sum(0).Number(uint32(binary.BigEndian.Uint16(field))).Number(uint32(^uint16(length)))
}
