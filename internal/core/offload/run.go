package offload

import (
	"bytes"
	"encoding/binary"
)

// run is a Run in the making.
type run struct {
	first, count int32    // the packets: index of the first, and how many
	at           int32    // where its parts begin
	start        int16    // as in Layout
	protocol     Protocol // of the packets; None: not known

	// What follows is there only if it was open once.
	headers  int16  // as in Layout
	size     int32  // of all as one packet
	verified bool   // head is sound
	push     bool   // the last packet had PSH
	head     []byte // the first packet
}

// open lets packets follow the first.
func (r *run) open(s *segment, verified bool) {
	r.head, r.headers = s.packet, int16(s.headers)
	r.size, r.verified, r.push = int32(len(s.packet)), verified, false
}

// precedes reports whether a packet of the same flow continues the run, if the checksums of both are right.
func (r *run) precedes(s *segment) bool {
	p, q := s.packet, r.head
	if !s.joinable || s.headers != int(r.headers) || len(p) > len(q) || int(r.size)+len(p)-s.headers > MaxPacket {
		return false
	}
	if r.start == sizeIPv4 {
		if !r.precedesIPv4(p) {
			return false
		}
	} else if differ64(p, q, 0xff00_0000_ffff_ffff) { // all but length and next header
		return false
	}
	return r.protocol == UDP || r.precedesTCP(p[r.start:r.headers])
}

// precedesIPv4 compares what the flow's key has not. An identification that does not count up is no matter if it can have no meaning,
// because the packet cannot be fragmented (RFC 6864, section 4.1).
func (r *run) precedesIPv4(p []byte) bool {
	const all = 0x00ff_0000_0000_ffff // version, header length, TOS, flags
	if differ64(p, r.head, all) || p[8] != r.head[8] {
		return false
	}
	return p[6]&dontFragment != 0 || binary.BigEndian.Uint16(p[4:]) == binary.BigEndian.Uint16(r.head[4:])+uint16(r.count)
}

func (r *run) precedesTCP(h []byte) bool {
	g := r.head[r.start:r.headers]
	sequence := binary.BigEndian.Uint32(g[4:]) + uint32(r.size-int32(r.headers))
	if binary.BigEndian.Uint32(h[4:]) != sequence || differ64(h[8:], g[8:], 0xffff_f7ff_ffff_ffff) { // all but PSH
		return false
	}
	return h[18] == g[18] && h[19] == g[19] && bytes.Equal(h[sizeTCP:], g[sizeTCP:])
}

// differ64 compares the first 8 bytes of p and q where the mask, in little-endian order, has ones.
func differ64(p, q []byte, mask uint64) bool {
	return (binary.LittleEndian.Uint64(p)^binary.LittleEndian.Uint64(q))&mask != 0
}

// sound reports whether the first packet is. It is looked at only when a second one comes: a packet that
// stays alone is passed on as it came.
func (r *run) sound() bool {
	r.verified = r.verified || sound(r.head, int(r.start), r.protocol)
	return r.verified
}

// extend counts a packet that was put at the end. It is false if none may follow.
func (r *run) extend(s *segment) bool {
	r.count++
	r.size += int32(len(s.packet) - s.headers)
	r.push = s.push
	return !s.push && len(s.packet) == len(r.head) && r.count < MaxSegments
}

// finish writes the headers of the run into its first packet.
func (r *run) finish(p []byte) Layout {
	l := Layout{Partial: true, Start: int(r.start), Offset: offsetOf(r.protocol)}
	if r.count == 1 {
		if r.protocol == None || !partial(p, l.Start, r.protocol) {
			return Layout{}
		}
		return l
	}
	l.Protocol, l.Headers, l.Segment = r.protocol, int(r.headers), len(p)-int(r.headers)
	if r.start == sizeIPv4 {
		binary.BigEndian.PutUint16(p[2:], uint16(r.size))
		clear(p[10:12])
		binary.BigEndian.PutUint16(p[10:], Sum(0).Bytes(p[:sizeIPv4]).Checksum())
	} else {
		binary.BigEndian.PutUint16(p[4:], uint16(r.size-sizeIPv6))
	}
	h, size := p[l.Start:], int(r.size)-l.Start
	if r.protocol == UDP {
		binary.BigEndian.PutUint16(h[4:], uint16(size))
	} else if r.push {
		h[13] |= flagPSH
	}
	binary.BigEndian.PutUint16(h[l.Offset:], PseudoHeader(addressesOf(p, l.Start), number(r.protocol), size).Fold())
	return l
}
