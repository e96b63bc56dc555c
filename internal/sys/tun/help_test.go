package tun

import (
	"encoding/binary"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// desk is where a test reads to.
type desk struct {
	buf    []byte
	supers []offload.Super
}

func newDesk() *desk {
	return &desk{make([]byte, 4*MinBuffer), make([]offload.Super, 64)}
}

// unsummed is the layout of a UDP packet over IPv4 whose checksum is not done.
var unsummed = offload.Layout{Partial: true, Start: 20, Offset: 6}

// datagram is such a packet, from 10.9.0.2 to a port of 10.9.0.1.
func datagram(port int, payload []byte) []byte {
	p := make([]byte, 28, 28+len(payload))
	copy(p, []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protoUDP, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1, 0, 7})
	p = append(p, payload...)
	binary.BigEndian.PutUint16(p[22:], uint16(port))
	binary.BigEndian.PutUint16(p[24:], uint16(8+len(payload)))
	number(p, 0)
	binary.BigEndian.PutUint16(p[26:], pseudo(p, offload.UDP, 20))
	return p
}

// tcpTrain is a TCP train over IPv4, or 6: IPv6, with 32 bytes of TCP header.
func tcpTrain(version byte, payload int) []byte {
	n := header4
	if version == 6 {
		n = header6
	}
	p := make([]byte, n+32+payload)
	if version == 6 {
		p[0], p[6] = 0x60, protoTCP
	} else {
		p[0], p[9] = 0x45, protoTCP
	}
	p[n+12] = 8 << 4
	for i := range payload {
		p[n+32+i] = byte(i)
	}
	return p
}
