package tun

import (
	"github.com/cvlan/cvlan/internal/core/offload"
)

// Lengths and places in headers (RFC 791, 8200, 9293, 768).
const (
	header4   = 20 // without options
	header6   = 40
	headerTCP = 20 // without options
	headerUDP = 8
	sumTCP    = 16 // where in the header the checksum is
	sumUDP    = 6
	protoTCP  = 6
	protoUDP  = 17
)

// isIP reports whether a packet is long enough for the header that it begins with.
func isIP(p []byte) bool {
	switch {
	case len(p) < header4:
		return false
	case p[0]>>4 == 4:
		n := int(p[0]&15) * 4
		return n >= header4 && n <= len(p)
	default:
		return p[0]>>4 == 6 && len(p) >= header6
	}
}

// sound reports whether a layout agrees with its packet: everything that it points to is inside, and a train's headers are those of
// its protocol.
func sound(l *offload.Layout, p []byte) bool {
	if !isIP(p) {
		return false
	}
	if l.Partial && (l.Start < header4 || l.Offset < 0 || l.Start+l.Offset+2 > len(p)) {
		return false
	}
	switch l.Protocol {
	case offload.None:
		return l.Segment == 0 && l.Headers == 0
	case offload.TCP:
		return soundTrain(l, p, protoTCP, sumTCP) && l.Headers >= l.Start+headerTCP
	case offload.UDP:
		return soundTrain(l, p, protoUDP, sumUDP) && l.Headers == l.Start+headerUDP
	}
	return false
}

func soundTrain(l *offload.Layout, p []byte, protocol byte, sum int) bool {
	if !l.Partial || l.Offset != sum || l.Segment <= 0 || l.Headers != payload(l.Protocol, l.Start, p) || l.Headers >= len(p) {
		return false
	}
	if (len(p)-l.Headers+l.Segment-1)/l.Segment > offload.MaxSegments {
		return false
	}
	if p[0]>>4 == 4 {
		return l.Start == int(p[0]&15)*4 && p[9] == protocol
	}
	return l.Start == header6 && p[6] == protocol || l.Start > header6 && p[6] != protocol // behind extension headers
}

// payload returns where the payload begins behind the transport header at start; -1 if that is not inside the packet.
func payload(protocol offload.Protocol, start int, p []byte) int {
	end := start + headerUDP
	if protocol == offload.TCP {
		if start+headerTCP > len(p) {
			return -1
		}
		end = start + int(p[start+12]>>4)*4
	}
	if end > len(p) {
		return -1
	}
	return end
}
