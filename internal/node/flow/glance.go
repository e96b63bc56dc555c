package flow

import (
	"encoding/binary"
	"math/bits"

	"github.com/cvlan/cvlan/policy/filter"
)

// glance reads the key of a plain packet of TCP or UDP at fixed places, and its flags. Where it is plain, filter.Packet.ParseHead finds the same.
func glance(b []byte, size int, out bool, k *key) (flags uint8, plain bool) {
	if len(b) < 28 {
		return 0, false
	}
	var t []byte
	var proto, family uint64
	switch first := binary.BigEndian.Uint64(b); b[0] {
	case 0x45:
		total := int(first >> 32 & 0xffff)
		if total > size || total < 20 || first&0x3fff != 0 { // any fragment
			return 0, false
		}
		both := binary.BigEndian.Uint64(b[12:])
		if !out {
			both = bits.RotateLeft64(both, 32)
		}
		k[0], k[1], k[2], k[3] = 0, filter.Mapped4|both>>32, 0, filter.Mapped4|both&0xffffffff
		proto, t = uint64(b[9]), b[20:min(len(b), total)]
	case 0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f:
		total := 40 + int(first>>16&0xffff)
		if total > size || len(b) < 48 {
			return 0, false
		}
		ours, other := b[8:24], b[24:40]
		if !out {
			ours, other = other, ours
		}
		k[0], k[1] = binary.BigEndian.Uint64(ours), binary.BigEndian.Uint64(ours[8:])
		k[2], k[3] = binary.BigEndian.Uint64(other), binary.BigEndian.Uint64(other[8:])
		if k[0] == 0 || k[2] == 0 { // where IPv4 may be mapped
			return 0, false
		}
		proto, family, t = first>>8&0xff, six, b[40:min(len(b), total)]
	default:
		return 0, false
	}
	switch {
	case proto == filter.TCP && len(t) >= 20 && t[12] >= 5<<4 && int(t[12]>>4)*4 <= len(t):
		flags = t[13]
	case proto == filter.UDP && len(t) >= 8:
	default:
		return 0, false
	}
	ports := binary.BigEndian.Uint32(t)
	if !out {
		ports = bits.RotateLeft32(ports, 16)
	}
	k[4] = uint64(ports)<<32 | proto<<8 | family
	return flags, true
}

// quiet reports whether a plain packet changes nothing about a flow that stands: a segment of TCP if it has ACK and nothing that begins or ends.
func quiet(proto, flags uint8) bool {
	const all = filter.SYN | filter.ACK | filter.FIN | filter.RST
	return proto != filter.TCP || flags&all == filter.ACK
}
