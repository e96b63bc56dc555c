package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	saltSize  = 4 // at the end of an AEAD's key; first part of its nonce (RFC 5282 §4, RFC 7634 §2)
	ivSize    = 8 // on the wire; the rest of the nonce
	chachaKey = chacha20poly1305.KeySize
)

// aead protects by an AEAD whose IV is a counter: it never repeats under a key, whatever rnd is.
type aead struct {
	aead cipher.AEAD
	salt [saltSize]byte
	next uint64
}

// newGCM is AES-GCM with 16 bytes of proof (RFC 5282). Strict FIPS mode has no constructor for nonces that are counted outside of it,
// as IPsec needs them, and refuses cipher.NewGCM; the counter in aead is what makes it safe.
func newGCM(key, _ []byte, _ io.Reader) (protection, error) {
	block, err := aes.NewCipher(key[:len(key)-saltSize])
	if err != nil {
		return nil, err
	}
	var gcm cipher.AEAD
	fips140.WithoutEnforcement(func() { gcm, err = cipher.NewGCM(block) })
	if err != nil {
		return nil, err
	}
	return &aead{aead: gcm, salt: [saltSize]byte(key[len(key)-saltSize:])}, nil
}

// newChaCha is ChaCha20-Poly1305 (RFC 7634).
func newChaCha(key, _ []byte, _ io.Reader) (protection, error) {
	c, err := chacha20poly1305.New(key[:chachaKey])
	if err != nil {
		return nil, err
	}
	return &aead{aead: c, salt: [saltSize]byte(key[chachaKey:])}, nil
}

func (a *aead) sizes() (iv, block, icv int) { return ivSize, 1, a.aead.Overhead() }

func (a *aead) seal(b []byte, head int) ([]byte, error) {
	if a.next == math.MaxUint64 {
		return nil, errors.New("the key has sealed all it may; the IKE SA has to be replaced")
	}
	iv, text := b[head:head+ivSize], head+ivSize
	binary.BigEndian.PutUint64(iv, a.next)
	a.next++
	return a.aead.Seal(b[:text], a.nonce(iv), b[text:], b[:head]), nil
}

func (a *aead) open(associated, body []byte) ([]byte, error) {
	iv, sealed := body[:ivSize], body[ivSize:]
	return a.aead.Open(sealed[:0], a.nonce(iv), sealed, associated)
}

func (a *aead) nonce(iv []byte) []byte { return append(a.salt[:len(a.salt):len(a.salt)], iv...) }
