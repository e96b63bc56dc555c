package tun

import (
	"encoding/binary"
	"slices"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// TCP flags (RFC 9293, section 3.1) that not every segment of a train keeps.
const (
	flagFIN = 0x01
	flagPSH = 0x08
	flagCWR = 0x80
)

// split makes the packets that a sound train stands for, as a host that receives it does. It copies: the data path has its own.
func split(s offload.Super) [][]byte {
	if s.Protocol == offload.None {
		p := slices.Clone(s.Packet)
		if s.Partial {
			finish(p, s.Start, s.Offset)
		}
		return [][]byte{p}
	}
	var packets [][]byte
	head, left := s.Packet[:s.Headers], s.Packet[s.Headers:]
	for i := 0; len(left) > 0; i++ {
		n := min(s.Segment, len(left))
		p := slices.Concat(head, left[:n])
		left = left[n:]
		number(p, i)
		if s.Protocol == offload.TCP {
			segment(p[s.Start:], uint32(i*s.Segment), i == 0, len(left) == 0)
		} else {
			binary.BigEndian.PutUint16(p[s.Start+4:], uint16(len(p)-s.Start))
		}
		binary.BigEndian.PutUint16(p[s.Start+s.Offset:], pseudo(p, s.Protocol, s.Start))
		finish(p, s.Start, s.Offset)
		packets = append(packets, p)
	}
	return packets
}

// number writes the lengths of the i-th packet into its IP header, and for IPv4 its identification and checksum.
func number(p []byte, i int) {
	if p[0]>>4 == 6 {
		binary.BigEndian.PutUint16(p[4:], uint16(len(p)-header6))
		return
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[4:], binary.BigEndian.Uint16(p[4:])+uint16(i))
	h := p[:int(p[0]&15)*4]
	binary.BigEndian.PutUint16(h[10:], 0)
	binary.BigEndian.PutUint16(h[10:], ^fold(sum(h)))
}

// segment writes sequence number and flags into the TCP header t.
func segment(t []byte, ahead uint32, first, last bool) {
	binary.BigEndian.PutUint32(t[4:], binary.BigEndian.Uint32(t[4:])+ahead)
	if !first {
		t[13] &^= flagCWR
	}
	if !last {
		t[13] &^= flagFIN | flagPSH
	}
}

// pseudo is the sum of the pseudo header (RFC 9293, section 3.1; RFC 8200, section 8.1).
func pseudo(p []byte, protocol offload.Protocol, start int) uint16 {
	number := uint32(protoTCP)
	if protocol == offload.UDP {
		number = protoUDP
	}
	from, to := 12, 20
	if p[0]>>4 == 6 {
		from, to = 8, 40
	}
	return fold(sum(p[from:to]) + number + uint32(len(p)-start))
}

// finish does a partial checksum: over everything from start on, into the place that holds the pseudo header's sum.
func finish(p []byte, start, offset int) {
	c := ^fold(sum(p[start:]))
	if c == 0 {
		c = 0xffff // 0 says "none" in UDP (RFC 768) and equals 0xffff elsewhere
	}
	binary.BigEndian.PutUint16(p[start+offset:], c)
}

// sum adds up 16-bit words (RFC 1071); a packet's cannot overflow.
func sum(b []byte) (s uint32) {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s)
}
