package tunnel

import "encoding/binary"

// Class is what a datagram on a node's socket is, told by its first bytes alone. All protocols share one port, so that they share the
// hole that a NAT or a firewall has for it:
//
//	00 00 00 00              IKE (the non-ESP marker, RFC 3948 section 2.2)
//	FF alone                 a keepalive of NATs (RFC 3948 section 2.3)
//	01 to 03, then 00 00 00  WireGuard: initiation, response, cookie
//	04 00 00 00              WireGuard: data
//	30 to 3F                 ESP: our inbound SPIs begin so
type Class uint8

// The classes.
const (
	Unknown Class = iota
	NATKeepalive
	WireGuard     // a message
	WireGuardData // a packet
	IKE           // a message
	ESP           // a packet

	classes
)

// classify never reads beyond b.
func classify(b []byte) Class {
	if len(b) < 4 {
		if len(b) == 1 && b[0] == 0xff {
			return NATKeepalive
		}
		return Unknown
	}
	switch first := binary.LittleEndian.Uint32(b); {
	case first == 4 && len(b) >= 16:
		return WireGuardData
	case first >= 1 && first <= 3:
		return WireGuard
	case first == 0:
		return IKE
	case b[0]>>4 == 3 && len(b) >= 16:
		return ESP
	}
	return Unknown
}

// protocol is the class of the messages that make a data class's sessions.
func (c Class) protocol() Class {
	if c == ESP {
		return IKE
	}
	return WireGuard
}

func (c Class) data() bool { return c == WireGuardData || c == ESP }

// index is the session's number in a datagram of a data class.
func (c Class) index(b []byte) uint32 {
	if c == ESP {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b[4:])
}
