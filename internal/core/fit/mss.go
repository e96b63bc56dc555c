package fit

import (
	"encoding/binary"
	"math/bits"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// minMSS is the least that ClampMSS lowers to, in bytes. Linux refuses to send less than 48.
const minMSS = 64

// Options of a TCP header (RFC 9293, section 3.2).
const (
	optionEnd  = 0
	optionNone = 1
	optionMSS  = 2
)

// flagSYN is in byte 13 of a TCP header, its checksum from byte 16 on.
const (
	flagSYN     = 0x02
	atFlags     = 13
	checksumTCP = 16
)

// ClampMSS lowers the maximum segment size that a TCP SYN announces to what fits into packets of mtu bytes (RFC 9293, section 3.7.1),
// and reports whether it did. partial says that the checksum is yet to be done (see offload.Layout): then there is nothing to correct in
// it. Any packet may be given; what is no SYN costs a look at a few bytes. The option is never added: without it TCP sends 536 bytes at
// most, or 1220 over IPv6.
func ClampMSS(packet []byte, mtu int, partial bool) bool {
	if len(packet) < sizeIPv4+sizeTCP {
		return false
	}
	start, limit := sizeIPv6, mtu-sizeIPv6-sizeTCP
	switch {
	case packet[0]>>4 == 4 && packet[9] == protocolTCP && packet[6]&0x1f|packet[7] == 0:
		start, limit = int(packet[0]&15)*4, mtu-sizeIPv4-sizeTCP
	case packet[0]>>4 == 6 && packet[6] == protocolTCP:
	case packet[0]>>4 == 6:
		upper, ok := offload.UpperOf(packet)
		if !ok || upper.Protocol != protocolTCP || upper.Later {
			return false
		}
		start = upper.Start
	default:
		return false
	}
	if start < sizeIPv4 || len(packet) < start+sizeTCP || packet[start+atFlags]&flagSYN == 0 {
		return false
	}
	return clamp(packet[start:], uint16(min(max(limit, minMSS), 0xffff)), partial)
}

// clamp looks for the option in a TCP header that is whole, and may be there more than once.
func clamp(h []byte, limit uint16, partial bool) (changed bool) {
	size := int(h[12]>>4) * 4
	if size < sizeTCP || size > len(h) {
		return false
	}
	for i := sizeTCP; i < size; {
		switch h[i] {
		case optionEnd:
			return changed
		case optionNone:
			i++
			continue
		}
		if i+1 >= size || h[i+1] < 2 || i+int(h[i+1]) > size {
			return changed
		}
		if h[i] == optionMSS && h[i+1] == 4 {
			changed = lower(h, i+2, limit, partial) || changed
		}
		i += int(h[i+1])
	}
	return changed
}

// lower writes limit at h[at], if that is less than what is there, and corrects the checksum (RFC 1624, equation 3).
func lower(h []byte, at int, limit uint16, partial bool) bool {
	old := binary.BigEndian.Uint16(h[at:])
	if old <= limit {
		return false
	}
	binary.BigEndian.PutUint16(h[at:], limit)
	if partial {
		return true
	}
	if at%2 == 1 { // it is the ends of two words: the sum is the same with its bytes exchanged
		old, limit = bits.ReverseBytes16(old), bits.ReverseBytes16(limit)
	}
	sum := offload.Sum(0).Number(uint32(^binary.BigEndian.Uint16(h[checksumTCP:]))).Number(uint32(^old)).Number(uint32(limit))
	binary.BigEndian.PutUint16(h[checksumTCP:], sum.Checksum())
	return true
}
