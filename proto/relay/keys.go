package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// Key is a channel's SipHash key.
type Key struct{ K0, K1 uint64 }

// String keeps the key out of logs.
func (Key) String() string { return "relay channel key" }

// GoString keeps the key out of logs.
func (Key) GoString() string { return "relay channel key" }

// ChannelKey computes the key of a channel of the client that has the secret.
func ChannelKey(s *Secret, channel Number) Key {
	sum := derive(s, "cvlan relay channel v1", binary.BigEndian.AppendUint32(nil, uint32(channel)))
	return Key{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// LinkKey computes the key of all channels of a relay that is another's client and has the secret.
func LinkKey(s *Secret) Key {
	sum := derive(s, "cvlan relay link v1", nil)
	return Key{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

func derive(s *Secret, label string, over []byte) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, s[:])
	h.Write([]byte(label))
	h.Write(over)
	h.Sum(sum[:0])
	return sum
}
