package fit

import "github.com/cvlan/cvlan/internal/core/offload"

// MinMTU6 is what every path carries of IPv6 (RFC 8200, section 5), in bytes. No message asks for less.
const MinMTU6 = 1280

// minMTU4 is the same of IPv4 (RFC 791, section 3.2).
const minMTU4 = 68

// Sizes of headers without options, in bytes.
const (
	sizeIPv4 = 20
	sizeIPv6 = 40
	sizeTCP  = 20
	sizeICMP = 8 // and what an error message has before the packet that it quotes
)

// Protocols of an IP header.
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolICMPv6 = 58
)

// Size is that of the largest packet that u stands for, in bytes: the one that has to fit.
func Size(u *offload.Super) int {
	if u.Protocol == offload.None {
		return len(u.Packet)
	}
	return min(len(u.Packet), u.Headers+u.Segment)
}
