package offload

import "encoding/binary"

// segment is a packet that may be part of a train.
type segment struct {
	packet         []byte
	key            uint64 // of its flow, but for the addresses; 0 if it is of none that can be told
	start, headers int    // as in Layout
	protocol       Protocol
	joinable       bool // by itself
	push           bool // it ends a run
}

// read looks at a packet as far as it can be seen without its neighbours. Checksums come later, see sound.
func (s *segment) read(p []byte) {
	s.packet = p
	if len(p) < sizeIPv4+sizeUDP {
		return
	}
	var protocol byte
	switch {
	case p[0] == 4<<4|sizeIPv4/4:
		if int(binary.BigEndian.Uint16(p[2:])) != len(p) || fragment4(p) {
			return
		}
		s.start, protocol = sizeIPv4, p[9]
	case p[0]>>4 == 6:
		if len(p) < sizeIPv6+sizeUDP || int(binary.BigEndian.Uint16(p[4:])) != len(p)-sizeIPv6 {
			return
		}
		s.start, protocol = sizeIPv6, p[6]
	default:
		return
	}
	switch protocol {
	case protocolTCP:
		s.readTCP(p[s.start:])
	case protocolUDP:
		s.readUDP(p[s.start:])
	}
}

// dontFragment is the flag in byte 6 of an IPv4 header.
const dontFragment = 0x40

// fragment4 reports whether an IPv4 header is that of a fragment, or has a flag that nobody has defined.
func fragment4(h []byte) bool { return h[6]&^dontFragment|h[7] != 0 }

// plain reports whether an IP header, all of it, is one behind which read looks.
func plain(h []byte) bool {
	return len(h) == sizeIPv4 && h[0]>>4 == 4 && !fragment4(h) || len(h) == sizeIPv6 && h[0]>>4 == 6
}

func (s *segment) readTCP(h []byte) {
	if len(h) < sizeTCP {
		return
	}
	size := int(h[12]>>4) * 4
	if size < sizeTCP || size > len(h) {
		return
	}
	s.own(TCP, h)
	s.headers = s.start + size
	s.push = h[13]&flagPSH != 0
	s.joinable = len(h) > size && h[13]&^(flagPSH|flagECE) == flagACK
}

func (s *segment) readUDP(h []byte) {
	if int(binary.BigEndian.Uint16(h[4:])) != len(h) {
		return
	}
	s.own(UDP, h)
	s.headers = s.start + sizeUDP
	s.joinable = len(h) > sizeUDP && binary.BigEndian.Uint16(h[checksumUDP:]) != 0
}

// own makes the flow's key: the ports, the protocol, where the transport header is, which tells the IP version, and 16 bits of the
// addresses, of which the rest is compared when all this agrees.
func (s *segment) own(protocol Protocol, h []byte) {
	const odd = 0x9e3779b97f4a7c15
	p, mixed := s.packet, uint64(0)
	if s.start == sizeIPv4 {
		mixed = binary.LittleEndian.Uint64(p[12:20]) * odd
	} else {
		for i := 8; i < 40; i += 8 {
			mixed = (mixed ^ binary.LittleEndian.Uint64(p[i:])) * odd
		}
	}
	s.protocol = protocol
	s.key = uint64(binary.LittleEndian.Uint32(h)) | uint64(protocol)<<32 | uint64(s.start)<<40 | mixed>>48<<48
}

// sound reports whether the checksums are right, or that of the transport partial.
func (s *segment) sound() bool { return sound(s.packet, s.start, s.protocol) }

func sound(p []byte, start int, protocol Protocol) bool {
	rest := p[8:] // the addresses, and all behind them
	if start == sizeIPv4 {
		if Sum(binary.LittleEndian.Uint64(p)).add(binary.LittleEndian.Uint64(p[8:])).add(uint64(binary.LittleEndian.Uint32(p[16:]))).Fold() != 0xffff {
			return false
		}
		rest = p[12:]
	}
	if partial(p, start, protocol) {
		return true
	}
	return Sum(0).Number(uint32(number(protocol))<<16|uint32(len(p)-start)).Bytes(rest).Fold() == 0xffff
}

// partial reports whether the transport checksum of a packet that read knows is that of the pseudo header alone. Of whole checksums one in 65,535 looks
// so: to call it partial is no mistake, since who completes it gets what is there.
func partial(p []byte, start int, protocol Protocol) bool {
	return binary.BigEndian.Uint16(p[start+offsetOf(protocol):]) == PseudoHeader(addressesOf(p, start), number(protocol), len(p)-start).Fold()
}

// addressesOf are those of a packet whose IP header has no options.
func addressesOf(p []byte, start int) []byte {
	if start == sizeIPv4 {
		return p[12:20]
	}
	return p[8:40]
}

// offsetOf is where in a protocol's header the checksum is.
func offsetOf(p Protocol) int {
	if p == TCP {
		return checksumTCP
	}
	return checksumUDP
}

// number is what an IP header calls a protocol.
func number(p Protocol) uint8 {
	if p == TCP {
		return protocolTCP
	}
	return protocolUDP
}

// sameAddresses compares the addresses of any packet with those of one that is IPv4 or IPv6 for certain.
func sameAddresses(p, ip []byte) bool {
	if len(p) < sizeIPv4 || p[0]>>4 != ip[0]>>4 {
		return false
	}
	if ip[0]>>4 == 4 {
		return binary.LittleEndian.Uint64(p[12:]) == binary.LittleEndian.Uint64(ip[12:])
	}
	return len(p) >= sizeIPv6 && [32]byte(p[8:40]) == [32]byte(ip[8:40])
}
