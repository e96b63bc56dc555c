package esp

import (
	"crypto/aes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
)

// Suite is how packets are protected.
type Suite uint8

// The suites. Those of CBC are for gear that knows nothing better: they cost ten times as much.
const (
	AES256GCM        Suite = iota + 1 // RFC 4106, 16 bytes of ICV
	AES128GCM                         // likewise
	AES192GCM                         // likewise
	ChaCha20Poly1305                  // RFC 7634
	AES256CBC                         // RFC 3602, then HMAC-SHA2-256-128 (RFC 4868)
	AES128CBC                         // likewise
	AES256CBCSHA1                     // and HMAC-SHA1-96 (RFC 2404): broken elsewhere, and good for nothing but clients that have not been told better
	AES128CBCSHA1                     // likewise
)

const (
	plainHeader = 8 // SPI and sequence number
	trailer     = 2 // padding's length and the next header
	saltSize    = 4 // at the end of an AEAD's keying material; first part of its nonce
	counterSize = 8 // an AEAD's IV, the rest of its nonce
	tagSize     = 16
	alignment   = 4 // of what is encrypted, at least (§2.4)
)

// Overhead is the most that a suite adds to a packet, what Seal scribbles behind it while it works included, in bytes.
const Overhead = 64

// form is a suite's sizes in bytes.
type form struct {
	key, salt, mac int // of the keying material, in this order
	iv, block, icv int
	hash           func() hash.Hash // of the mac
}

var forms = [...]form{
	AES256GCM:        {32, saltSize, 0, counterSize, alignment, tagSize, nil},
	AES128GCM:        {16, saltSize, 0, counterSize, alignment, tagSize, nil},
	AES192GCM:        {24, saltSize, 0, counterSize, alignment, tagSize, nil},
	ChaCha20Poly1305: {32, saltSize, 0, counterSize, alignment, tagSize, nil},
	AES256CBC:        {32, 0, sha256.Size, aes.BlockSize, aes.BlockSize, tagSize, sha256.New},
	AES128CBC:        {16, 0, sha256.Size, aes.BlockSize, aes.BlockSize, tagSize, sha256.New},
	AES256CBCSHA1:    {32, 0, sha1.Size, aes.BlockSize, aes.BlockSize, 12, sha1.New},
	AES128CBCSHA1:    {16, 0, sha1.Size, aes.BlockSize, aes.BlockSize, 12, sha1.New},
}

// String names the suite as people know it.
func (s Suite) String() string {
	names := [...]string{"none", "aes256gcm16", "aes128gcm16", "aes192gcm16", "chacha20poly1305", "aes256-sha256", "aes128-sha256", "aes256-sha1", "aes128-sha1"}
	if int(s) >= len(names) {
		return "invalid"
	}
	return names[s]
}

// Valid reports whether there is such a suite.
func (s Suite) Valid() bool { return s > 0 && int(s) < len(forms) }

// KeySize is the keying material that one direction needs: the key, then an AEAD's salt, or the key of the integrity check
// (RFC 7296 §2.17).
func (s Suite) KeySize() int {
	if !s.Valid() {
		return 0
	}
	return forms[s].keying()
}

func (f form) keying() int { return f.key + f.salt + f.mac }

// header is what precedes the encrypted part.
func (f form) header() int { return plainHeader + f.iv }

// body is the size of the encrypted part for a packet of n bytes.
func (f form) body(n int) int { return (n + trailer + f.block - 1) / f.block * f.block }

// scratch is the room behind a datagram that sealing it needs.
func (f form) scratch() int {
	if f.salt > 0 {
		return mostData
	}
	return 0
}

// least is the size of the smallest datagram that can be right.
func (f form) least() int { return f.header() + f.block + f.icv }

// Size is that of the datagram for a packet of n bytes.
func (s Suite) Size(n int) int {
	f := forms[s]
	return f.header() + f.body(n) + f.icv
}

// Fits is the largest packet whose datagram has at most size bytes; 0: not even an empty one.
func (s Suite) Fits(size int) int {
	f := forms[s]
	return max(0, (size-f.header()-f.icv)/f.block*f.block-trailer)
}

// Adds is how many bytes a datagram has beyond its packet, at most.
func (s Suite) Adds() int {
	if !s.Valid() {
		return 0
	}
	f := forms[s]
	return f.header() + trailer + f.block - 1 + f.icv
}

// cut splits keying material.
func (s Suite) cut(material []byte) (key, salt, mac []byte, err error) {
	if !s.Valid() {
		return nil, nil, nil, fmt.Errorf("there is no suite %d", s)
	}
	f := forms[s]
	if len(material) != f.keying() {
		return nil, nil, nil, fmt.Errorf("%d bytes of keying material, %s needs %d", len(material), s, f.keying())
	}
	return material[:f.key], material[f.key : f.key+f.salt], material[f.key+f.salt:], nil
}
