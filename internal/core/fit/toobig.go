package fit

import (
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// Bounds of a whole message, in bytes: RFC 1812, section 4.3.2.3, and RFC 4443, section 2.4 (c).
const (
	maxMessage4 = 576
	maxMessage6 = MinMTU6
)

// Room is the capacity that TooBig's dst needs for any message, in bytes.
const Room = maxMessage6

// TooBig appends to dst the ICMP message that tells the source of packet that only mtu bytes fit (RFC 792 and RFC 1191 for IPv4,
// RFC 4443, section 3.2, for IPv6), and returns it all. It is nil if none may be sent: for a packet that fits or may be fragmented, for a
// malformed one, for an ICMP error, to a source that is no single host.
//
// The message comes from the address from, or if that is not of the packet's family, from the packet's destination. An mtu below
// what IP guarantees (68, 1280) is told as that: nobody would believe less. dst and packet do not overlap. How many messages are sent a second
// is for the caller to bound.
func TooBig(dst, packet []byte, mtu int, from netip.Addr) []byte {
	upper, ok := offload.UpperOf(packet)
	if !ok {
		return nil
	}
	if packet[0]>>4 == 4 {
		return tooBig4(dst, packet, max(mtu, minMTU4), from.Unmap(), upper)
	}
	return tooBig6(dst, packet, max(mtu, MinMTU6), from.Unmap(), upper)
}

func tooBig4(dst, packet []byte, mtu int, from netip.Addr, upper offload.Upper) []byte {
	source, destination := netip.AddrFrom4([4]byte(packet[12:16])), netip.AddrFrom4([4]byte(packet[16:20]))
	switch {
	case len(packet) <= mtu, packet[6]&0x40 == 0, upper.Later, int(binary.BigEndian.Uint16(packet[2:])) != len(packet):
		return nil
	case offload.Sum(0).Bytes(packet[:upper.Start]).Checksum() != 0, !host4(source), !host4(destination):
		return nil
	case upper.Protocol == protocolICMP && !question4(packet[upper.Start:]):
		return nil
	}
	if !from.Is4() {
		from = destination
	}
	quote := packet[:min(len(packet), maxMessage4-sizeIPv4-sizeICMP)]
	start := len(dst)
	// Precedence 6, which is for the network's own messages (RFC 1812, section 4.3.2.5). It may be fragmented, and so needs an
	// identification: the quoted packet's is as good as any.
	dst = append(dst, 0x45, 0xc0, 0, 0, packet[4], packet[5], 0, 0, 64, protocolICMP, 0, 0)
	address := from.As4()
	dst = append(append(dst, address[:]...), packet[12:16]...)
	dst = append(dst, 3, 4, 0, 0, 0, 0, byte(mtu>>8), byte(mtu)) // unreachable: fragmentation needed and DF set
	dst = append(dst, quote...)
	message := dst[start:]
	binary.BigEndian.PutUint16(message[2:], uint16(len(message)))
	binary.BigEndian.PutUint16(message[10:], offload.Sum(0).Bytes(message[:sizeIPv4]).Checksum())
	binary.BigEndian.PutUint16(message[sizeIPv4+2:], offload.Sum(0).Bytes(message[sizeIPv4:]).Checksum())
	return dst
}

func tooBig6(dst, packet []byte, mtu int, from netip.Addr, upper offload.Upper) []byte {
	source, destination := netip.AddrFrom16([16]byte(packet[8:24])), netip.AddrFrom16([16]byte(packet[24:40]))
	switch {
	case len(packet) <= mtu, int(binary.BigEndian.Uint16(packet[4:]))+sizeIPv6 != len(packet), !host6(source):
		return nil
	case upper.Protocol == protocolICMPv6 && !upper.Later && !question6(packet[upper.Start:]):
		return nil
	}
	if !from.Is6() {
		from = destination
	}
	if !host6(from) {
		return nil // the packet is for a group, which does not send
	}
	quote := packet[:min(len(packet), maxMessage6-sizeIPv6-sizeICMP)]
	size := sizeICMP + len(quote)
	start := len(dst)
	dst = append(dst, 0x60, 0, 0, 0, byte(size>>8), byte(size), protocolICMPv6, 64)
	address := from.As16()
	dst = append(append(dst, address[:]...), packet[8:24]...)
	dst = append(dst, 2, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(mtu))
	dst = append(dst, quote...)
	message := dst[start:]
	sum := offload.PseudoHeader(message[8:40], protocolICMPv6, size).Bytes(message[sizeIPv6:])
	binary.BigEndian.PutUint16(message[sizeIPv6+2:], sum.Checksum())
	return dst
}

// host4 reports whether an address can be that of one host, as far as it shows (RFC 1812, section 4.3.2.7).
func host4(a netip.Addr) bool { b := a.As4(); return b[0] != 0 && b[0] != 127 && b[0] < 224 }

// host6 is the same of IPv6 (RFC 4443, section 2.4 (e.6)).
func host6(a netip.Addr) bool { return !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() }

// question4 reports whether an ICMP message is one that may be answered with an error: a known query or its answer.
func question4(message []byte) bool {
	if len(message) == 0 {
		return false
	}
	switch message[0] {
	case 0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43: // echo, router, timestamp, information, mask, extended echo
		return true
	}
	return false
}

// question6 is the same of ICMPv6: errors have the upper bit clear, and a redirect counts as one (RFC 4443, section 2.4 (e)).
func question6(message []byte) bool {
	const redirect = 137
	return len(message) > 0 && message[0]&0x80 != 0 && message[0] != redirect
}
