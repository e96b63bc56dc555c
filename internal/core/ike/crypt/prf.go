package crypt

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// PRF is a pseudorandom function: HMAC with a hash of the SHA-2 family (RFC 4868). Its keys may have any length; those that it makes
// have Size bytes.
type PRF struct {
	hash func() hash.Hash
	size int
}

// maxExpand is how often prf+ repeats itself at most: the counter is one byte (§2.13).
const maxExpand = 255

// NewPRF is the function that a transform of type PRF names.
func NewPRF(t msg.Transform) (PRF, error) {
	if t.Type == msg.PRF && t.KeyBits == 0 && len(t.Unknown) == 0 {
		switch t.ID {
		case msg.PRFSHA256:
			return PRF{sha256.New, sha256.Size}, nil
		case msg.PRFSHA384:
			return PRF{sha512.New384, sha512.Size384}, nil
		case msg.PRFSHA512:
			return PRF{sha512.New, sha512.Size}, nil
		}
	}
	return PRF{}, fmt.Errorf("pseudorandom function %s: we do not have it", t)
}

// Size is the length of what Sum returns, and of the keys made for the function, in bytes.
func (p PRF) Size() int { return p.size }

// Sum is prf(key, parts[0] | parts[1] | …).
func (p PRF) Sum(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(p.hash, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// Expand is the first n bytes of prf+(key, parts[0] | parts[1] | …), §2.13. n may be at most 255 times Size.
func (p PRF) Expand(key []byte, n int, parts ...[]byte) ([]byte, error) {
	if n < 0 || n > maxExpand*p.size {
		return nil, fmt.Errorf("expand a key to %d bytes: the limit is %d", n, maxExpand*p.size)
	}
	mac := hmac.New(p.hash, key)
	out := make([]byte, 0, n+p.size)
	var last []byte
	for i := byte(1); len(out) < n; i++ {
		mac.Reset()
		mac.Write(last)
		for _, part := range parts {
			mac.Write(part)
		}
		mac.Write([]byte{i})
		out = mac.Sum(out)
		last = out[len(out)-p.size:]
	}
	return out[:n:n], nil
}
