package fit

import (
	"encoding/binary"
	"net/netip"
)

var (
	us, them   = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	us6, them6 = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
	gate       = netip.MustParseAddr("10.0.0.9")
	gate6      = netip.MustParseAddr("fd00::9")
)

// ip4 is an IPv4 packet with DF, complete but for what payload lacks. options are those of the IP header.
func ip4(from, to netip.Addr, protocol byte, options, payload []byte) []byte {
	p := []byte{0x45 + byte(len(options)/4), 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0}
	p = append(append(append(p, from.AsSlice()...), to.AsSlice()...), options...)
	head := len(p)
	p = append(p, payload...)
	seal4(p, head)
	return p
}

func seal4(p []byte, head int) {
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[10:], 0)
	binary.BigEndian.PutUint16(p[10:], ^slowSum(p[:head], 0))
}

// ip6 is an IPv6 packet; next is what payload begins with.
func ip6(from, to netip.Addr, next byte, payload []byte) []byte {
	p := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, 64}
	return append(append(append(p, from.AsSlice()...), to.AsSlice()...), payload...)
}

// syn is a TCP segment with these options and its checksum, as between from and to.
func syn(from, to netip.Addr, flags byte, options []byte) []byte {
	h := []byte{0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, byte(20+len(options)) / 4 << 4, flags, 2, 0, 0, 0, 0, 0}
	h = append(h, options...)
	binary.BigEndian.PutUint16(h[16:], ^slowSum(h, pseudo(from, to, 6, len(h))))
	return h
}

func pseudo(from, to netip.Addr, protocol byte, size int) uint16 {
	return slowSum(append(append(from.AsSlice(), to.AsSlice()...), 0, protocol, byte(size>>8), byte(size)), 0)
}

// slowSum is RFC 1071 as it is written, not yet complemented.
func slowSum(b []byte, initial uint16) uint16 {
	sum := uint32(initial)
	for i, x := range b {
		if i%2 == 0 {
			sum += uint32(x) << 8
		} else {
			sum += uint32(x)
		}
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
