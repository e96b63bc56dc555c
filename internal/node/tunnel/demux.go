package tunnel

import (
	"encoding/binary"

	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/proto/disco"
	"github.com/cvlan/cvlan/proto/relay"
)

// Class is what a datagram on a node's socket is, told by its first bytes alone. All protocols share one port, so that they share the
// hole that a NAT or a firewall has for it:
//
//	00 00 00 00              IKE (the non-ESP marker, RFC 3948 section 2.2)
//	FF alone                 a keepalive of NATs (RFC 3948 section 2.3)
//	01 to 03, then 00 00 00  WireGuard: initiation, response, cookie
//	04 00 00 00              WireGuard: data
//	0C                       disco
//	20                       a relay
//	00 or 01, at 4 2112A442  STUN (RFC 8489, section 5)
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
	Disco         // a message between nodes that look for each other
	Relay         // a frame of a relay: a message, or a datagram that it delivers
	STUN          // a message

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
	case b[0] == disco.Type:
		return Disco
	case b[0] == relay.Type:
		return Relay
	case b[0] < 2 && stun.Is(b):
		return STUN
	case b[0]>>4 == 3 && len(b) >= 16:
		return ESP
	}
	return Unknown
}

// guide reports whether messages of a class are the guide's.
func (c Class) guide() bool { return c >= Disco && c <= STUN }

// protocol is the class of the messages that make a data class's sessions.
func (c Class) protocol() Class {
	if c == ESP || c == IKE {
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
