// Package offloadtest makes packets, and trains of them, for tests of those who carry them.
package offloadtest

import (
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// Protocols of an IP header. Experiment (RFC 3692) is one that nobody looks into.
const (
	protoTCP   = 6
	protoUDP   = 17
	Experiment = 253
)

// Flags of a TCP segment.
const (
	SYN = 0x02
	PSH = 0x08
	ACK = 0x10
)

// Header makes an IP header for size bytes behind it. IPv4 must not be fragmented on its way.
func Header(from, to netip.Addr, protocol byte, size int) []byte {
	if from.Is4() {
		p := append([]byte{0x45, 0, 0, 0, 0, 7, 0x40, 0, 64, protocol, 0, 0}, append(from.AsSlice(), to.AsSlice()...)...)
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)+size))
		binary.BigEndian.PutUint16(p[10:], offload.Sum(0).Bytes(p).Checksum())
		return p
	}
	p := append([]byte{0x60, 0, 0, 0, 0, 0, protocol, 64}, append(from.AsSlice(), to.AsSlice()...)...)
	binary.BigEndian.PutUint16(p[4:], uint16(size))
	return p
}

// Numbered is an IP packet with a number in it, its last four bytes.
func Numbered(from, to netip.Addr, n int) []byte {
	return binary.BigEndian.AppendUint32(Header(from, to, Experiment, 4), uint32(n))
}

// TCP is a train of TCP segments with this much payload each.
func TCP(from, to netip.Addr, payload []byte, segment int) offload.Super {
	return Train(from, to, offload.TCP, ACK|PSH, nil, payload, segment)
}

// UDP is a train of UDP datagrams with this much payload each.
func UDP(from, to netip.Addr, payload []byte, segment int) offload.Super {
	return Train(from, to, offload.UDP, 0, nil, payload, segment)
}

// Train makes the headers of a train, as a kernel does: the checksum is the pseudo header's. Flags and options are TCP's.
func Train(from, to netip.Addr, protocol offload.Protocol, flags byte, options, payload []byte, segment int) offload.Super {
	upper, number, offset := []byte{0x10, 0, 0x20, 0, 0, 0, 0, 0}, byte(protoUDP), 6
	if protocol == offload.TCP {
		upper = append([]byte{0x10, 0, 0x20, 0, 0, 0, 1, 0, 0, 0, 2, 0, byte(5+len(options)/4) << 4, flags, 0x40, 0, 0, 0, 0, 0}, options...)
		number, offset = protoTCP, 16
	} else {
		binary.BigEndian.PutUint16(upper[4:], uint16(len(upper)+len(payload)))
	}
	size := len(upper) + len(payload)
	p := Header(from, to, number, size)
	start, addresses := len(p), p[12:]
	if from.Is6() {
		addresses = p[8:]
	}
	binary.BigEndian.PutUint16(upper[offset:], offload.PseudoHeader(addresses, number, size).Fold())
	p = append(append(p, upper...), payload...)
	return offload.Super{Packet: p, Layout: offload.Layout{
		Protocol: protocol, Segment: segment, Headers: start + len(upper), Partial: true, Start: start, Offset: offset,
	}}
}

// Finish does the checksum that a train has left to others, of a packet that is one.
func Finish(s offload.Super) []byte {
	binary.BigEndian.PutUint16(s.Packet[s.Start+s.Offset:], offload.Sum(0).Bytes(s.Packet[s.Start:]).Checksum())
	return s.Packet
}
