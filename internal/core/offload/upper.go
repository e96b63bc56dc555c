package offload

import "encoding/binary"

// The protocols that trains are made of, as an IP header names them.
const (
	protocolTCP = 6
	protocolUDP = 17
)

// Sizes of headers without options, in bytes.
const (
	sizeIPv4 = 20
	sizeIPv6 = 40
	sizeTCP  = 20
	sizeUDP  = 8
)

// The headers that may stand between an IPv6 header and the upper-layer header (RFC 8200, section 4; RFC 4302).
const (
	hopByHop           = 0
	routing            = 43
	fragment           = 44
	authentication     = 51
	destinationOptions = 60
)

// maxExtensions bounds the extension headers that are walked through. RFC 8200 knows six kinds, one of which may come twice.
const maxExtensions = 8

// Upper says what an IP packet carries.
type Upper struct {
	Protocol uint8 // as IANA numbers them, of the header at Start
	Start    int   // where that header begins, in bytes from the IP header on; it may be the packet's end
	Fragment bool  // the packet is a fragment
	Later    bool  // and not the first of its packet: there is no upper-layer header at Start
}

// UpperOf looks behind the IP header and the extension headers. It is false if the packet is neither IPv4 nor IPv6 or ends before
// they do, or has more extension headers than anybody uses. The length that the header tells is not looked at.
func UpperOf(packet []byte) (u Upper, ok bool) {
	if len(packet) < sizeIPv4 {
		return u, false
	}
	switch packet[0] >> 4 {
	case 4:
		u.Protocol, u.Start = packet[9], int(packet[0]&15)*4
		u.Later = (packet[6]&0x1f | packet[7]) != 0
		u.Fragment = u.Later || packet[6]&0x20 != 0
		return u, sizeIPv4 <= u.Start && u.Start <= len(packet)
	case 6:
		if len(packet) < sizeIPv6 {
			return u, false
		}
		u.Protocol, u.Start = packet[6], sizeIPv6
		return walk(packet, u)
	}
	return u, false
}

// walk goes through IPv6 extension headers.
func walk(packet []byte, u Upper) (Upper, bool) {
	for range maxExtensions + 1 {
		h := packet[u.Start:]
		size := 8 // of a header, at least
		switch u.Protocol {
		default:
			return u, true
		case hopByHop, routing, destinationOptions:
			if len(h) >= 2 {
				size += int(h[1]) * 8
			}
		case authentication:
			if len(h) >= 2 {
				size += int(h[1]) * 4
			}
		case fragment:
			u.Fragment = true
		}
		if size > len(h) {
			return u, false
		}
		u.Later = u.Later || u.Protocol == fragment && binary.BigEndian.Uint16(h[2:])>>3 != 0
		u.Protocol, u.Start = h[0], u.Start+size
		if u.Later {
			return u, true
		}
	}
	return u, false
}
