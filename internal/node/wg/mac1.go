package wg

import (
	"crypto/subtle"

	"golang.org/x/crypto/blake2s"

	"github.com/cvlan/cvlan/internal/base/key"
)

// Sizes and types of WireGuard's handshake messages ("WireGuard: Next Generation Kernel Network Tunnel", section 5.4).
const (
	initiationType, initiationSize = 1, 148
	responseType, responseSize     = 2, 92
	mac1Size                       = 16
	initiationMAC1                 = initiationSize - 2*mac1Size // offset of the first MAC, which covers all before it
)

// mac1Key is the key of the first MAC in messages for a peer. The MAC names the receiver: it tells for whom the library made an
// initiation, which says it nowhere else.
func mac1Key(to key.WGPublic) [blake2s.Size]byte {
	return blake2s.Sum256(append([]byte("mac1----"), to[:]...))
}

// isFor reports whether an initiation was made for the peer with that MAC key.
func isFor(initiation []byte, k *[blake2s.Size]byte) bool {
	h, err := blake2s.New128(k[:])
	if err != nil {
		panic("wg: BLAKE2s refuses a key of its own size: " + err.Error())
	}
	h.Write(initiation[:initiationMAC1])
	var sum [mac1Size]byte
	return subtle.ConstantTimeCompare(h.Sum(sum[:0]), initiation[initiationMAC1:initiationMAC1+mac1Size]) == 1
}

// isInitiation reports whether a batch is one handshake initiation.
func isInitiation(bufs [][]byte) bool {
	return len(bufs) == 1 && len(bufs[0]) == initiationSize && bufs[0][0] == initiationType
}
