package flow

import (
	"encoding/binary"

	"github.com/cvlan/cvlan/policy/filter"
)

// glance is what a packet of TCP or UDP shows at fixed places. It agrees with filter.Packet.ParseHead, and leaves to it whatever is less plain.
type glance struct {
	src, dst address
	ports    uint32 // source, destination
	proto    uint8
	flags    uint8 // of TCP
}

// read reports whether the packet is a plain one that can be judged.
func (g *glance) read(b []byte, size int) bool {
	if len(b) < 28 {
		return false
	}
	if b[0] == 0x45 {
		return g.read4(b, size)
	}
	return b[0]>>4 == 6 && g.read6(b, size)
}

func (g *glance) read4(b []byte, size int) bool {
	first := binary.BigEndian.Uint64(b)
	total := int(first >> 32 & 0xffff)
	if total > size || first&0x3fff != 0 { // any fragment
		return false
	}
	both := binary.BigEndian.Uint64(b[12:])
	g.src, g.dst = address{0, mapped4 | both>>32}, address{0, mapped4 | both&0xffffffff}
	g.proto = b[9]
	return g.transport(b[20:min(len(b), max(total, 20))])
}

func (g *glance) read6(b []byte, size int) bool {
	if len(b) < 48 {
		return false
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	g.src = address{binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])}
	g.dst = address{binary.BigEndian.Uint64(b[24:]), binary.BigEndian.Uint64(b[32:])}
	g.proto = b[6]
	return total <= size && g.src.native6() && g.dst.native6() && g.transport(b[40:min(len(b), total)])
}

// native6 is false for IPv4 that is mapped.
func (a address) native6() bool { return a.hi != 0 || a.lo>>32 != mapped4>>32 }

func (g *glance) transport(t []byte) bool {
	switch g.proto {
	case filter.TCP:
		if len(t) < 20 {
			return false
		}
		g.flags = t[13]
		if header := int(t[12]>>4) * 4; header < 20 || header > len(t) {
			return false
		}
	case filter.UDP:
		if len(t) < 8 {
			return false
		}
		g.flags = 0
	default:
		return false
	}
	g.ports = binary.BigEndian.Uint32(t)
	return true
}

// quiet reports whether a segment of TCP changes nothing about a connection that stands; a datagram never does.
func (g *glance) quiet() bool {
	return g.proto != filter.TCP || g.flags&(filter.SYN|filter.ACK|filter.FIN|filter.RST) == filter.ACK
}
