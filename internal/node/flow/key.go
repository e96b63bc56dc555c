package flow

import (
	"math/bits"

	"github.com/cvlan/cvlan/policy/filter"
)

// key names a flow, the same for both directions: the address on our side, the other one, and then our port, the other one, the protocol,
// and of ICMP echo who asks.
type key [5]uint64

const weAsk = 1

// keyOf makes the key of a packet.
func keyOf(src, dst filter.Address, srcPort, dstPort uint16, proto uint8, out bool) key {
	if !out {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	return key{src.Hi, src.Lo, dst.Hi, dst.Lo, uint64(srcPort)<<48 | uint64(dstPort)<<32 | uint64(proto)<<8}
}

// keyOfPacket is the same for one that was taken apart.
func keyOfPacket(p *filter.Packet, out bool) key {
	k := keyOf(p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto, out)
	if isEcho(p) && out == asks(p) {
		k[4] |= weAsk
	}
	return k
}

func (k *key) proto() uint8 { return uint8(k[4] >> 8) }

// opening is a packet by which an end of the flow would begin it: ours, which goes out, or the other.
func (k *key) opening(out bool) (p filter.Packet) {
	p = filter.Packet{
		Src: filter.Address{Hi: k[0], Lo: k[1]}, SrcPort: uint16(k[4] >> 48),
		Dst: filter.Address{Hi: k[2], Lo: k[3]}, DstPort: uint16(k[4] >> 32), Proto: k.proto(),
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
