package wg

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Timestamp is an instant in TAI64N: big-endian, so that bytes compare as time does. Every initiation carries one, and a
// responder accepts only ones greater than all it has seen from that peer, which is what makes a recorded initiation useless.
type Timestamp [12]byte

const (
	// taiOrigin is the TAI64 label of the Unix epoch, which TAI was 10 seconds ahead of.
	taiOrigin = 1<<62 + 10
	// stampGrain hides the low bits of the clock, about 17 ms, from whoever reads the stamp.
	stampGrain = 1 << 24
)

// TimestampAt is the stamp of wall-clock instant t, rounded down to the grain.
func TimestampAt(t time.Time) Timestamp {
	var s Timestamp
	binary.BigEndian.PutUint64(s[:], taiOrigin+uint64(t.Unix()))
	binary.BigEndian.PutUint32(s[8:], uint32(t.Nanosecond())&^(stampGrain-1))
	return s
}

// After reports whether s is later than u.
func (s Timestamp) After(u Timestamp) bool { return bytes.Compare(s[:], u[:]) > 0 }
