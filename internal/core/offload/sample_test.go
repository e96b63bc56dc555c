package offload

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// sample says what a packet or a train is to be. The zero value of most fields is what is most common.
type sample struct {
	protocol      Protocol
	from, to      netip.Addr
	sport, dport  uint16
	tos, ttl      byte
	flow          uint32 // IPv6 flow label
	id            uint16
	fragmentable  bool
	sequence, ack uint32
	window        uint16
	flags         byte // 0: ACK
	options       []byte
	extensions    []byte // IPv6, the first byte of each names the next
	extension     byte   // what the first of them is
	payload       []byte
	segment       int
	finally       netip.Addr // the address behind a routing header
}

func v4(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }
func v6(n byte) netip.Addr { return netip.AddrFrom16([16]byte{0: 0xfd, 15: n}) }

// timestamps are the TCP options that nearly every segment has.
var timestamps = []byte{1, 1, 8, 10, 0, 1, 2, 3, 4, 5, 6, 7}

// packet is the packet, complete.
func (a sample) packet() []byte {
	p, start := a.headers()
	p = append(p, a.payload...)
	fill(p, start, a.protocol)
	return p
}

// super is the train, as a kernel hands it over.
func (a sample) super() *Super {
	p, start := a.headers()
	l := Layout{Protocol: a.protocol, Segment: a.segment, Headers: len(p), Partial: true, Start: start, Offset: 16}
	p = append(p, a.payload...)
	if a.protocol == UDP {
		l.Offset = 6
		binary.BigEndian.PutUint16(p[start+4:], uint16(len(p)-start))
	}
	lengths(p)
	over := addresses(p)
	if a.finally.IsValid() {
		over = append(a.from.AsSlice(), a.finally.AsSlice()...)
	}
	binary.BigEndian.PutUint16(p[start+l.Offset:], slowPseudo(over, a.number(), len(p)-start))
	return &Super{Layout: l, Packet: p}
}

func (a sample) number() byte {
	if a.protocol == UDP {
		return protocolUDP
	}
	return protocolTCP
}

// headers are the headers without lengths and checksums, and where the transport header is.
func (a sample) headers() (p []byte, start int) {
	if a.from.Is4() {
		p = append(p, 0x45, a.tos, 0, 0, byte(a.id>>8), byte(a.id), 0x40, 0, 64-a.ttl, a.number(), 0, 0)
		if a.fragmentable {
			p[6] = 0
		}
	} else {
		next := a.number()
		if len(a.extensions) > 0 {
			next = a.extension
		}
		p = binary.BigEndian.AppendUint32(p, 6<<28|uint32(a.tos)<<20|a.flow)
		p = append(p, 0, 0, next, 64-a.ttl)
	}
	p = append(append(p, a.from.AsSlice()...), a.to.AsSlice()...)
	p = append(p, a.extensions...)
	start = len(p)
	p = binary.BigEndian.AppendUint16(p, a.sport)
	p = binary.BigEndian.AppendUint16(p, a.dport)
	if a.protocol == UDP {
		return append(p, 0, 0, 0, 0), start
	}
	p = binary.BigEndian.AppendUint32(p, a.sequence)
	p = binary.BigEndian.AppendUint32(p, a.ack)
	flags := a.flags
	if flags == 0 {
		flags = flagACK
	}
	p = append(p, byte(5+len(a.options)/4)<<4, flags)
	p = binary.BigEndian.AppendUint16(p, a.window)
	p = append(p, 0, 0, 0, 0)
	return append(p, a.options...), start
}

// lengths writes the length and the IPv4 checksum of the IP header.
func lengths(p []byte) {
	if p[0]>>4 == 6 {
		binary.BigEndian.PutUint16(p[4:], uint16(len(p)-40))
		return
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[10:], 0)
	binary.BigEndian.PutUint16(p[10:], ^slowFold(p[:int(p[0]&15)*4], 0))
}

// fill writes all lengths and checksums of a packet with this transport header at start.
func fill(p []byte, start int, protocol Protocol) {
	lengths(p)
	number, field := byte(protocolTCP), 16
	if protocol == UDP {
		number, field = protocolUDP, 6
		binary.BigEndian.PutUint16(p[start+4:], uint16(len(p)-start))
	}
	binary.BigEndian.PutUint16(p[start+field:], 0)
	sum := ^slowFold(p[start:], slowPseudo(addresses(p), number, len(p)-start))
	if sum == 0 && protocol == UDP {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(p[start+field:], sum)
}

func slowPseudo(addresses []byte, number byte, length int) uint16 {
	b := append(bytes.Clone(addresses), 0, number)
	return slowFold(binary.BigEndian.AppendUint16(b, uint16(length)), 0)
}

func addresses(p []byte) []byte {
	if p[0]>>4 == 4 {
		return p[12:20]
	}
	return p[8:40]
}

// numbered is a payload in which every place is different.
func numbered(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13)
	}
	return b
}
