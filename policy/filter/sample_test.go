package filter

import (
	"encoding/binary"
	"net/netip"
)

// packet4 makes an IPv4 packet around a payload.
func packet4(src, dst string, proto uint8, payload []byte, change ...func([]byte)) []byte {
	b := make([]byte, 20, 20+len(payload))
	b[0], b[8], b[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	copy(b[12:], netip.MustParseAddr(src).AsSlice())
	copy(b[16:], netip.MustParseAddr(dst).AsSlice())
	b = append(b, payload...)
	for _, f := range change {
		f(b)
	}
	return b
}

// packet6 makes an IPv6 packet around a payload that begins with what next says.
func packet6(src, dst string, next uint8, payload []byte) []byte {
	b := make([]byte, 40, 40+len(payload))
	b[0], b[6], b[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	copy(b[8:], netip.MustParseAddr(src).AsSlice())
	copy(b[24:], netip.MustParseAddr(dst).AsSlice())
	return append(b, payload...)
}

func tcp(src, dst uint16) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	b[12], b[13] = 5<<4, SYN
	return b
}

func udp(src, dst uint16) []byte {
	b := make([]byte, 8)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	return b
}

// place sets the fragment field of an IPv4 header: offset in units of eight bytes.
func place(offset int, more bool) func([]byte) {
	return func(b []byte) {
		v := uint16(offset)
		if more {
			v |= 0x2000
		}
		binary.BigEndian.PutUint16(b[6:], v)
	}
}

// extension puts a header of eight bytes before a payload.
func extension(next uint8, rest []byte, middle ...byte) []byte {
	h := make([]byte, 8)
	h[0] = next
	copy(h[1:], middle)
	return append(h, rest...)
}
