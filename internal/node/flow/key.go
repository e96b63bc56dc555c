package flow

import (
	"math"
	"math/bits"

	"github.com/cvlan/cvlan/policy/filter"
)

// key names a flow, the same for both directions: the address on our side, the other one, and then our port, the other one, the protocol,
// of ICMP echo who asks, and whether it is IPv6.
type key [5]uint64

const (
	weAsk = 1 << iota
	six   // addresses are of IPv6
)

// keyOf makes the key of a packet.
func keyOf(src, dst filter.Address, srcPort, dstPort uint16, proto uint8, out bool) key {
	if !out {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	k := key{src.Hi, src.Lo, dst.Hi, dst.Lo, uint64(srcPort)<<48 | uint64(dstPort)<<32 | uint64(proto)<<8}
	if !src.Is4() {
		k[4] |= six
	}
	return k
}

// keyOfPacket is the same for one that was taken apart.
func keyOfPacket(p *filter.Packet, out bool) key {
	k := keyOf(p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto, out)
	if isEcho(p) && out == asks(p.Flags) {
		k[4] |= weAsk
	}
	return k
}

func (k *key) is4() bool { return k[4]&six == 0 }

// ends are both addresses of IPv4 in one word.
func (k *key) ends() uint64 { return k[1]<<32 | k[3]&math.MaxUint32 }

func (k *key) proto() uint8 { return uint8(k[4] >> 8) }

// ports are ours and the other.
func (k *key) ports() (ours, theirs uint16) { return uint16(k[4] >> 48), uint16(k[4] >> 32) }

// service is what the rules are asked about if an end begins the flow: ours, out, or the other.
func (k *key) service(out bool) uint32 {
	to, theirs := k.ports()
	if out {
		to = theirs
	}
	return filter.ServiceOf(k.proto(), to)
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

// asks reports whether an echo of this type is a question.
func asks(kind uint8) bool { return kind == echoRequest4 || kind == echoRequest6 }

func isICMP(proto uint8) bool { return proto == filter.ICMP || proto == filter.ICMPv6 }
