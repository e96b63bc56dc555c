package flow

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/cvlan/cvlan/policy/filter"
)

// address is an IP address as two words; IPv4 is mapped.
type address struct{ hi, lo uint64 }

const mapped4 = 0xffff << 32

func addressOf(a netip.Addr) address {
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a address) netip() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return netip.AddrFrom16(b).Unmap()
}

// key names a flow, the same for both directions: the address on our side, the other one, and then our port, the other one, the protocol,
// and of ICMP echo who asks.
type key [5]uint64

const weAsk = 1

// keyOf makes the key of a packet.
func keyOf(src, dst address, srcPort, dstPort uint16, proto uint8, out bool) key {
	if !out {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	return key{src.hi, src.lo, dst.hi, dst.lo, uint64(srcPort)<<48 | uint64(dstPort)<<32 | uint64(proto)<<8}
}

// keyOfPacket is the same for one that was taken apart.
func keyOfPacket(p *filter.Packet, out bool) key {
	k := keyOf(addressOf(p.Src), addressOf(p.Dst), p.SrcPort, p.DstPort, p.Proto, out)
	if isEcho(p) && out == asks(p) {
		k[4] |= weAsk
	}
	return k
}

func (k *key) proto() uint8 { return uint8(k[4] >> 8) }

// opening is a packet by which an end of the flow would begin it: ours, which goes out, or the other.
func (k *key) opening(out bool) (p filter.Packet) {
	p = filter.Packet{
		Src: address{k[0], k[1]}.netip(), SrcPort: uint16(k[4] >> 48),
		Dst: address{k[2], k[3]}.netip(), DstPort: uint16(k[4] >> 32), Proto: k.proto(),
	}
	if !out {
		p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	}
	return p
}

// hash spreads keys. The seed is secret, so that nobody can aim at one chain.
func (k *key) hash(seed *[5]uint64) uint64 {
	h := mix(mix(k[0]^seed[0], k[1]^seed[1])^mix(k[2]^seed[2], k[3]^seed[3])^k[4], seed[4])
	return mix(h, seed[0]|1) // once more: numbers that count up do not end up beside each other
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Types of ICMP that are told apart here.
const (
	echoReply4   = 0
	echoRequest4 = 8
	echoRequest6 = 128
	echoReply6   = 129
)

// isEcho reports whether a packet is an ICMP echo: it has an identifier.
func isEcho(p *filter.Packet) bool {
	switch p.Proto {
	case filter.ICMP:
		return p.Flags == echoRequest4 || p.Flags == echoReply4
	case filter.ICMPv6:
		return p.Flags == echoRequest6 || p.Flags == echoReply6
	}
	return false
}

// asks reports whether an echo is a question.
func asks(p *filter.Packet) bool { return p.Flags == echoRequest4 || p.Flags == echoRequest6 }

func isICMP(proto uint8) bool { return proto == filter.ICMP || proto == filter.ICMPv6 }
