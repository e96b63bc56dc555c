package relay

import "encoding/binary"

// IsData reports whether b is a well-formed Data frame.
func IsData(b []byte) bool {
	return len(b) >= MinData && len(b) <= MaxFrame && binary.BigEndian.Uint32(b) == Type<<24
}

// PutData writes the header of a Data frame into b[:HeaderSize]; the payload stands behind it already, at least MinPayload bytes.
func PutData(b []byte, channel Number, k Key) {
	binary.BigEndian.PutUint32(b, Type<<24)
	binary.BigEndian.PutUint32(b[4:], uint32(channel))
	binary.LittleEndian.PutUint64(b[8:], dataMAC(b, k))
}

// Authentic reports whether the MAC of a frame that IsData has accepted is right. The words are compared at once, which takes the
// same time wherever they differ.
func Authentic(b []byte, k Key) bool { return dataMAC(b, k)^binary.LittleEndian.Uint64(b[8:]) == 0 }

// PutDeliver turns a Data frame in place into what its receiver gets.
func PutDeliver(b []byte, receiver Number, from Tag) {
	binary.BigEndian.PutUint32(b, Type<<24|uint32(Deliver)<<16)
	binary.BigEndian.PutUint32(b[4:], uint32(receiver))
	binary.BigEndian.PutUint64(b[8:], uint64(from))
}

// ReadDeliver returns what PutDeliver wrote, and the payload, which aliases b.
func ReadDeliver(b []byte) (receiver Number, from Tag, payload []byte, err error) {
	if len(b) < MinData || len(b) > MaxFrame || binary.BigEndian.Uint32(b) != Type<<24|uint32(Deliver)<<16 {
		return 0, 0, nil, ErrMalformed
	}
	return NumberOf(b), Tag(binary.BigEndian.Uint64(b[8:])), b[HeaderSize:], nil
}

func dataMAC(b []byte, k Key) uint64 {
	_ = b[MinData-1]
	return sip(k, binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:]))
}
