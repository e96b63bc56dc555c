package filter

import (
	"encoding/binary"
	"math"
)

// Protocol numbers of IP that the filter tells apart.
const (
	ICMP     = 1
	TCP      = 6
	UDP      = 17
	DCCP     = 33
	ICMPv6   = 58
	SCTP     = 132
	UDPLite  = 136
	hopByHop = 0
	routing  = 43
	fragment = 44
	authHdr  = 51
	destOpts = 60
	mobility = 135
	hip      = 139
	shim6    = 140
)

// Fragment says which part of a packet this is.
type Fragment uint8

// The parts.
const (
	Whole Fragment = iota
	First          // has the transport header
	Later          // has none: SrcPort, DstPort and Flags are zero
)

// Packet is what of a packet matters to a decision, and to telling flows apart.
type Packet struct {
	Src, Dst         Address
	SrcPort, DstPort uint16 // of an ICMP echo both are its identifier; DstPort is not part of its service
	Proto            uint8
	Flags            uint8 // of TCP; of ICMP the type
	Code             uint8 // of ICMP
	Fragment         Fragment
	ID               uint32 // of a fragment
	From, To         uint16 // the bytes that a fragment has of the whole's payload, To excluded
	More             bool   // others follow a fragment
	Payload          int    // offset of the transport header
	Length           int    // of the whole packet as its header says
}

// Flags of TCP.
const (
	FIN = 1 << iota
	SYN
	RST
	_
	ACK
)

// Service is the number that lists of services are about: protocol<<16 | destination port.
func (p *Packet) Service() uint32 { return ServiceOf(p.Proto, p.DstPort) }

// services is the service, twice; or of a later fragment the first and the last that it may have.
func (p *Packet) services() (first, last uint32) {
	first = p.Service()
	if p.Fragment == Later {
		return first, first | 0xffff
	}
	return first, first
}

// ServiceOf is Packet.Service of a protocol and a destination port.
func ServiceOf(proto uint8, port uint16) uint32 {
	if hasPorts(proto) {
		return uint32(proto)<<16 | uint32(port)
	}
	return uint32(proto) << 16
}

func hasPorts(proto uint8) bool {
	switch proto {
	case TCP, UDP, DCCP, SCTP, UDPLite:
		return true
	}
	return false
}

// Parse reads the headers of a packet into p. It returns Allowed if p can be judged.
func (p *Packet) Parse(b []byte) Reason { return p.parse(b, len(b), false) }

// ParseHead is Parse for a packet, or a train of segments whose headers are there once, of size bytes; b is its beginning.
func (p *Packet) ParseHead(b []byte, size int) Reason { return p.parse(b, size, false) }

// ParseQuoted reads the packet that an ICMP error quotes: it may be cut off behind the first eight bytes of its transport header.
func (p *Packet) ParseQuoted(b []byte) Reason { return p.parse(b, math.MaxInt, true) }

// ParsePlain reads into an empty p the headers of a packet of TCP or UDP of which is known that they are whole, that they have neither options nor
// extensions of IP, and that it is no fragment.
func (p *Packet) ParsePlain(b []byte) {
	if b[0]>>4 == 4 {
		p.Src, p.Dst = fromFour(b[12:]), fromFour(b[16:])
		p.Proto, p.Payload, p.Length = b[9], 20, int(binary.BigEndian.Uint16(b[2:]))
	} else {
		p.Src, p.Dst = fromSixteen(b[8:24]), fromSixteen(b[24:])
		p.Proto, p.Payload, p.Length = b[6], 40, 40+int(binary.BigEndian.Uint16(b[4:]))
	}
	t := b[p.Payload:]
	p.SrcPort, p.DstPort = binary.BigEndian.Uint16(t), binary.BigEndian.Uint16(t[2:])
	if p.Proto == TCP {
		p.Flags = t[13]
	}
}

func (p *Packet) parse(b []byte, size int, quoted bool) Reason {
	*p = Packet{}
	if len(b) == 0 {
		return Truncated
	}
	switch b[0] >> 4 {
	case 4:
		return p.parse4(b, size, quoted)
	case 6:
		return p.parse6(b, size, quoted)
	}
	return NotIP
}

func (p *Packet) parse4(b []byte, size int, quoted bool) Reason {
	if len(b) < 20 {
		return Truncated
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || total < header || total > size {
		return Malformed
	}
	if header > len(b) {
		return Truncated
	}
	if header > 20 {
		if r := options4(b[20:header]); r != Allowed {
			return r
		}
	}
	p.Src, p.Dst = fromFour(b[12:]), fromFour(b[16:])
	p.Proto, p.Payload, p.Length = b[9], header, total
	b = b[:min(total, len(b))]
	place := binary.BigEndian.Uint16(b[6:])
	if more, offset := place&0x2000 != 0, int(place&0x1fff); more || offset != 0 {
		p.ID = uint32(binary.BigEndian.Uint16(b[4:]))
		if r := p.part(offset, more, total-header); r != Allowed {
			return r
		}
	}
	return p.transport(b, quoted)
}

// options4 refuses options that say the packet's way.
func options4(o []byte) Reason {
	for len(o) > 0 {
		switch o[0] {
		case 0:
			return Allowed
		case 1:
			o = o[1:]
			continue
		case 131, 137:
			return SourceRouted
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return Malformed
		}
		o = o[o[1]:]
	}
	return Allowed
}

// part notes which fragment this is, offset in units of eight bytes, and refuses those that are made to mislead.
func (p *Packet) part(offset int, more bool, payload int) Reason {
	if offset*8+payload > 65535 || more && payload%8 != 0 || payload == 0 {
		return Malformed
	}
	p.From, p.To, p.More = uint16(offset*8), uint16(offset*8+payload), more
	switch {
	case offset == 0:
		p.Fragment = First
	case offset == 1 && p.Proto == TCP:
		return OverlapFragment
	default:
		p.Fragment = Later
	}
	return Allowed
}

const maxExtensions = 8

func (p *Packet) parse6(b []byte, size int, quoted bool) Reason {
	if len(b) < 40 {
		return Truncated
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total > size {
		return Malformed
	}
	p.Src, p.Dst = fromSixteen(b[8:24]), fromSixteen(b[24:])
	if p.Src.Is4() || p.Dst.Is4() { // RFC 4291, section 2.5.5.2: no addresses of packets
		return Malformed
	}
	p.Length = total
	b = b[:min(total, len(b))]
	if r := p.extensions(b, total); r != Allowed {
		return r
	}
	return p.transport(b, quoted)
}

// extensions walks to the transport header, or to the fragment header behind which there is none.
func (p *Packet) extensions(b []byte, total int) Reason {
	next, at, fragmented := b[6], 40, false
	for n := 0; ; n++ {
		p.Proto, p.Payload = next, at
		if p.Fragment == Later || !isExtension(next) {
			return Allowed
		}
		if n == maxExtensions {
			return TooManyHeaders
		}
		if len(b) < at+8 {
			return p.cut()
		}
		size := 8 + 8*int(b[at+1])
		switch next {
		case hopByHop:
			if n > 0 { // RFC 8200, section 4.1
				return Malformed
			}
		case routing:
			if b[at+2] == 0 {
				return SourceRouted
			}
		case authHdr:
			size = 8 + 4*int(b[at+1])
		case fragment:
			if fragmented {
				return Malformed
			}
			fragmented, size = true, 8
			if r := p.fragment6(b[at:], total-at-8); r != Allowed {
				return r
			}
		}
		next, at = b[at], at+size
		if at > len(b) {
			return p.cut()
		}
	}
}

// fragment6 reads a fragment header and what follows it, payload bytes.
func (p *Packet) fragment6(h []byte, payload int) Reason {
	p.Proto = h[0]
	p.ID = binary.BigEndian.Uint32(h[4:])
	place := binary.BigEndian.Uint16(h[2:])
	if offset, more := int(place>>3), place&1 != 0; offset != 0 || more {
		return p.part(offset, more, payload)
	}
	return Allowed
}

func isExtension(next uint8) bool {
	switch next {
	case hopByHop, routing, fragment, authHdr, destOpts, mobility, hip, shim6:
		return true
	}
	return false
}

// cut is the reason for headers that end too early.
func (p *Packet) cut() Reason {
	if p.Fragment == First {
		return TinyFragment
	}
	return Truncated
}

// transport reads ports, flags and types.
func (p *Packet) transport(b []byte, quoted bool) Reason {
	if p.Fragment == Later {
		return Allowed
	}
	t := b[p.Payload:]
	need := headerSize(p.Proto)
	if quoted {
		need = min(need, 8)
	}
	if len(t) < need {
		return p.cut()
	}
	switch {
	case hasPorts(p.Proto):
		p.SrcPort, p.DstPort = binary.BigEndian.Uint16(t), binary.BigEndian.Uint16(t[2:])
		if p.Proto == TCP && len(t) >= 20 {
			p.Flags = t[13]
			if size := int(t[12]>>4) * 4; size < 20 {
				return Malformed
			} else if size > len(t) && !quoted {
				return p.cut()
			}
		}
	case p.Proto == ICMP || p.Proto == ICMPv6:
		p.Flags, p.Code = t[0], t[1]
		if p.echo() {
			p.SrcPort = binary.BigEndian.Uint16(t[4:])
			p.DstPort = p.SrcPort
		}
	}
	return Allowed
}

// headerSize is the least size of a transport header in bytes.
func headerSize(proto uint8) int {
	switch proto {
	case TCP:
		return 20
	case UDP, UDPLite, ICMP, ICMPv6:
		return 8
	case DCCP, SCTP:
		return 12
	}
	return 0
}

func (p *Packet) echo() bool {
	if p.Proto == ICMP {
		return p.Flags == 8 || p.Flags == 0
	}
	return p.Flags == 128 || p.Flags == 129
}

// IsError reports whether the packet is an ICMP error, which quotes what it is about eight bytes behind Payload.
func (p *Packet) IsError() bool {
	switch {
	case p.Fragment == Later:
		return false
	case p.Proto == ICMP:
		return p.Flags == 3 || p.Flags == 11 || p.Flags == 12
	}
	return p.Proto == ICMPv6 && p.Flags >= 1 && p.Flags <= 4
}
