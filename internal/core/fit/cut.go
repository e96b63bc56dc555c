package fit

import (
	"encoding/binary"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// sizeFragment is IPv6's fragment header (RFC 8200, section 4.5), in bytes.
const sizeFragment = 8

// Protocols that a Cutter treats apart.
const (
	protocolHopByHop = 0
	protocolRouting  = 43
	protocolFragment = 44
)

// Cutter cuts a packet into fragments: the last remedy, where nothing else may be said to its sender, or has been. The zero Cutter has none.
type Cutter struct {
	head   []byte // of the packet: the IP header
	body   []byte // that is in no fragment yet
	most   int    // bytes of it in a fragment, a multiple of 8
	offset int    // of body in what the sender cut, if it did
	more   bool   // follows behind the packet: it is a fragment itself, and not the last
	next   byte   // of IPv6: what body begins with
	id     uint32 // of IPv6
}

// Start takes a packet that is whole, checksums included, for fragments of mtu bytes at most. id is a number that no other packet between the two
// addresses has had lately; only IPv6 needs it. It reports false, and Next gives nothing, for what may not be cut: IPv4 with DF or options,
// IPv6 with headers that routers read. A Cutter refers to the packet until it is started again.
func (c *Cutter) Start(packet []byte, mtu int, id uint32) bool {
	*c = Cutter{id: id}
	switch {
	case len(packet) >= sizeIPv4 && packet[0] == 0x45:
		return c.start4(packet, mtu)
	case len(packet) >= sizeIPv6 && packet[0]>>4 == 6:
		return c.start6(packet, mtu)
	}
	return false
}

func (c *Cutter) start4(p []byte, mtu int) bool {
	const dontFragment, moreFragments, offset = 0x4000, 0x2000, 0x1fff
	flags := int(binary.BigEndian.Uint16(p[6:]))
	most := (mtu - sizeIPv4) &^ 7
	if flags&dontFragment != 0 || int(binary.BigEndian.Uint16(p[2:])) != len(p) || most <= 0 {
		return false
	}
	c.head, c.body, c.most = p[:sizeIPv4], p[sizeIPv4:], most
	c.offset, c.more = flags&offset*8, flags&moreFragments != 0
	return true
}

func (c *Cutter) start6(p []byte, mtu int) bool {
	most := (mtu - sizeIPv6 - sizeFragment) &^ 7
	if int(binary.BigEndian.Uint16(p[4:]))+sizeIPv6 != len(p) || most <= 0 {
		return false
	}
	at := sizeIPv6
	switch c.next = p[6]; c.next {
	case protocolHopByHop, protocolRouting:
		return false
	case protocolFragment:
		if at += sizeFragment; len(p) < at {
			return false
		}
		flags := int(binary.BigEndian.Uint16(p[42:]))
		c.next, c.offset, c.more, c.id = p[40], flags&^7, flags&1 != 0, binary.BigEndian.Uint32(p[44:])
	}
	c.head, c.body, c.most = p[:sizeIPv6], p[at:], most
	return true
}

// Next appends the next fragment to dst and returns it; nil: there is none.
func (c *Cutter) Next(dst []byte) []byte {
	if len(c.body) == 0 {
		return nil
	}
	part := c.body[:min(len(c.body), c.most)]
	c.body = c.body[len(part):]
	offset, more := c.offset, c.more || len(c.body) > 0
	c.offset += len(part)
	start := len(dst)
	dst = append(dst, c.head...)
	h := dst[start:]
	if h[0]>>4 == 4 {
		flags := uint16(offset / 8)
		if more {
			flags |= 0x2000
		}
		binary.BigEndian.PutUint16(h[2:], uint16(sizeIPv4+len(part)))
		binary.BigEndian.PutUint16(h[6:], flags)
		binary.BigEndian.PutUint16(h[10:], 0)
		binary.BigEndian.PutUint16(h[10:], offload.Sum(0).Bytes(h).Checksum())
		return append(dst, part...)
	}
	h[6] = protocolFragment
	binary.BigEndian.PutUint16(h[4:], uint16(sizeFragment+len(part)))
	flags := uint16(offset)
	if more {
		flags |= 1
	}
	dst = append(dst, c.next, 0)
	dst = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(dst, flags), c.id)
	return append(dst, part...)
}
