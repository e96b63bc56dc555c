package filter

import (
	"encoding/binary"
	"net/netip"
)

// Address is an IP address as two words, as packets are judged by it; IPv4 is mapped (RFC 4291, section 2.5.5.2).
type Address struct{ Hi, Lo uint64 }

// Mapped4 is what the lower word of an IPv4 address has above it.
const Mapped4 = 0xffff << 32

func fromFour(b []byte) Address { return Address{0, Mapped4 | uint64(binary.BigEndian.Uint32(b))} }

func fromSixteen(b []byte) Address {
	return Address{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// AddressOf is a as an Address.
func AddressOf(a netip.Addr) Address {
	b := a.As16()
	return fromSixteen(b[:])
}

// Is4 reports whether it is one of IPv4.
func (a Address) Is4() bool { return a.Hi == 0 && a.Lo>>32 == Mapped4>>32 }

// Netip is the same, without a zone.
func (a Address) Netip() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return netip.AddrFrom16(b).Unmap()
}
