package wg_test

import (
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// Protocols of an IP header. experiment (RFC 3692) is one that nobody looks into.
const (
	protoTCP   = 6
	protoUDP   = 17
	experiment = 253
)

// header makes an IP header for size bytes behind it. IPv4 must not be fragmented on its way.
func header(from, to netip.Addr, protocol byte, size int) []byte {
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

// packet makes an IP packet with a text that nobody parses.
func packet(from, to netip.Addr, text string) []byte {
	return append(header(from, to, experiment, len(text)), text...)
}

// fragmentable makes the same packet one that may be fragmented on its way.
func fragmentable(p []byte) []byte {
	p[6] = 0
	clear(p[10:12])
	binary.BigEndian.PutUint16(p[10:], offload.Sum(0).Bytes(p[:20]).Checksum())
	return p
}

// textOf is what packet was given.
func textOf(p []byte) string {
	if p[0]>>4 == 4 {
		return string(p[20:])
	}
	return string(p[40:])
}

// tcp makes a TCP segment with options and a payload, complete.
func tcp(from, to netip.Addr, flags byte, options, payload []byte) []byte {
	s := train(from, to, offload.TCP, flags, options, payload, 0)
	return finish(s.Packet, s.Start, s.Offset)
}

// tcpTrain makes a train of TCP segments with this much payload each.
func tcpTrain(from, to netip.Addr, payload []byte, segment int) offload.Super {
	return train(from, to, offload.TCP, flagACK|flagPSH, nil, payload, segment)
}

// udpTrain makes a train of UDP datagrams with this much payload each.
func udpTrain(from, to netip.Addr, payload []byte, segment int) offload.Super {
	return train(from, to, offload.UDP, 0, nil, payload, segment)
}

const (
	flagSYN = 0x02
	flagPSH = 0x08
	flagACK = 0x10
)

// train makes the headers of a train, as a kernel does: the checksum is the pseudo header's.
func train(from, to netip.Addr, protocol offload.Protocol, flags byte, options, payload []byte, segment int) offload.Super {
	upper, number, offset := []byte{0x10, 0, 0x20, 0, 0, 0, 0, 0}, byte(protoUDP), 6
	if protocol == offload.TCP {
		upper = append([]byte{0x10, 0, 0x20, 0, 0, 0, 1, 0, 0, 0, 2, 0, byte(5+len(options)/4) << 4, flags, 0x40, 0, 0, 0, 0, 0}, options...)
		number, offset = protoTCP, 16
	} else {
		binary.BigEndian.PutUint16(upper[4:], uint16(len(upper)+len(payload)))
	}
	size := len(upper) + len(payload)
	p := header(from, to, number, size)
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

// finish does a partial checksum.
func finish(p []byte, start, offset int) []byte {
	binary.BigEndian.PutUint16(p[start+offset:], offload.Sum(0).Bytes(p[start:]).Checksum())
	return p
}
