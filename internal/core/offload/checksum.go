package offload

import (
	"encoding/binary"
	"math/bits"
)

// Sum is an internet checksum in the making (RFC 1071): a ones' complement sum of 16-bit words. It is kept as 64 bits, in the byte
// order that words have in memory on most machines and not on the wire, so only the methods here can read it. The zero Sum is that
// of nothing.
type Sum uint64

// PseudoHeader is the sum of what TCP, UDP and ICMPv6 sum beside themselves (RFC 9293, section 3.1; RFC 8200, section 8.1).
// addresses are source and destination as they lie in the IP header, length is that of the transport header and what follows, in bytes.
func PseudoHeader(addresses []byte, protocol uint8, length int) Sum {
	return Sum(0).Bytes(addresses).Number(uint32(protocol)).Number(uint32(length))
}

// Bytes adds b. Of several pieces of one packet, only the last may have an odd length.
func (s Sum) Bytes(b []byte) Sum {
	// Two chains of additions with carry, because the processor can work on both at once. An index in place of shorter and
	// shorter slices leaves a third of the instructions out.
	x, y, carry := uint64(s), uint64(0), uint64(0)
	i := 0
	for ; i <= len(b)-64; i += 64 {
		p := (*[64]byte)(b[i:])
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[0:8]), 0)
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[8:16]), carry)
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[16:24]), carry)
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[24:32]), carry)
		x, _ = bits.Add64(x, 0, carry)
		y, carry = bits.Add64(y, binary.LittleEndian.Uint64(p[32:40]), 0)
		y, carry = bits.Add64(y, binary.LittleEndian.Uint64(p[40:48]), carry)
		y, carry = bits.Add64(y, binary.LittleEndian.Uint64(p[48:56]), carry)
		y, carry = bits.Add64(y, binary.LittleEndian.Uint64(p[56:64]), carry)
		y, _ = bits.Add64(y, 0, carry)
	}
	x, carry = bits.Add64(x, y, 0)
	if i <= len(b)-32 {
		p := (*[32]byte)(b[i:])
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[0:8]), carry)
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[8:16]), carry)
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[16:24]), carry)
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[24:32]), carry)
		i += 32
	}
	if i <= len(b)-16 {
		p := (*[16]byte)(b[i:])
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[0:8]), carry)
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(p[8:16]), carry)
		i += 16
	}
	if i <= len(b)-8 {
		x, carry = bits.Add64(x, binary.LittleEndian.Uint64(b[i:]), carry)
		i += 8
	}
	if i < len(b) {
		x, carry = bits.Add64(x, last(b, len(b)-i), carry)
	}
	return Sum(x + carry)
}

// Number adds a 32-bit number, or two of 16 bits, or one: on the wire they are the same words, and zeros add nothing.
func (s Sum) Number(v uint32) Sum { return s.add(uint64(bits.ReverseBytes32(v))) }

// Fold is the sum as 16 bits, not yet complemented: what a Partial checksum's field holds of the pseudo header.
func (s Sum) Fold() uint16 {
	x := uint64(s) + bits.RotateLeft64(uint64(s), 32) // the upper half is the sum of both and its carry
	y := uint32(x >> 32)
	y += bits.RotateLeft32(y, 16)
	return bits.ReverseBytes16(uint16(y >> 16))
}

// Checksum is the complement of Fold: what belongs into a packet.
func (s Sum) Checksum() uint16 { return ^s.Fold() }

// last is the sum of the n last bytes, fewer than 8, of which the first is in an even place.
func last(b []byte, n int) (x uint64) {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b[len(b)-8:]) >> (64 - 8*n)
	}
	for i, v := range b {
		x |= uint64(v) << (8 * i)
	}
	return x
}

// add is addition with the carry brought around.
func (s Sum) add(x uint64) Sum {
	x, carry := bits.Add64(uint64(s), x, 0)
	return Sum(x + carry)
}
