package esp

import "encoding/binary"

// Numbers of what may be inside (§2.6).
const (
	nextIPv4  = 4
	nextIPv6  = 41
	nextDummy = 59
)

// finish puts padding, its length and the kind of the packet behind the n bytes that are to be encrypted with it. body is the whole
// encrypted part.
func finish(body []byte, n int) {
	next := byte(nextDummy)
	if n > 0 {
		next = nextIPv4
		if body[0]>>4 == 6 {
			next = nextIPv6
		}
	}
	pad := len(body) - n - trailer
	for i := range pad {
		body[n+i] = byte(i + 1) // §2.4
	}
	body[len(body)-2], body[len(body)-1] = byte(pad), next
}

// packet takes what finish, and padding for confidentiality of traffic flows, have put behind a packet away again. A dummy is a packet of
// no bytes.
func packet(body []byte) ([]byte, bool) {
	n := len(body) - trailer
	next, pad := body[n+1], int(body[n])
	if pad > n {
		return nil, false
	}
	inner := body[:n-pad]
	if next == nextDummy {
		return inner[:0], true
	}
	size := 0
	switch {
	case next == nextIPv4 && len(inner) >= 20 && inner[0]>>4 == 4:
		size = int(binary.BigEndian.Uint16(inner[2:]))
		if header := int(inner[0]&15) * 4; header < 20 || size < header {
			return nil, false
		}
	case next == nextIPv6 && len(inner) >= 40 && inner[0]>>4 == 6:
		size = 40 + int(binary.BigEndian.Uint16(inner[4:]))
	default:
		return nil, false
	}
	if size > len(inner) {
		return nil, false
	}
	return inner[:size:size], true
}
