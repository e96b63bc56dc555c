package crypt

import (
	"crypto/fips140"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"io"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Suite is how the messages of an IKE SA are protected: an AEAD, or a cipher with an integrity check.
type Suite struct {
	encr    int // bytes of a key, the salt included
	auth    int // bytes of a key of the integrity check
	protect func(encr, auth []byte, rnd io.Reader) (protection, error)
}

// A protection is one direction of a Suite with its keys.
type protection interface {
	// sizes are those of an IV, of the block that plaintext and padding fill, and of what proves integrity.
	sizes() (iv, block, icv int)
	// seal encrypts in place what follows the first head bytes of b and room for the IV, which it fills, and appends the proof of all.
	seal(b []byte, head int) ([]byte, error)
	// open checks and decrypts IV, ciphertext and proof, in place.
	open(associated, body []byte) ([]byte, error)
}

// NewSuite is the suite of the transforms that were agreed on. integrity is the zero Transform, or one with IntegNone, for an AEAD.
func NewSuite(encryption, integrity msg.Transform) (Suite, error) {
	usual := encryption.Type == msg.Encryption && len(encryption.Unknown)+len(integrity.Unknown) == 0 && integrity.KeyBits == 0
	none := integrity.ID == msg.IntegNone && (integrity.Type == 0 || integrity.Type == msg.Integrity)
	mac, known := newMAC(integrity)
	size := int(encryption.KeyBits) / 8
	switch aesKey := encryption.KeyBits == 128 || encryption.KeyBits == 192 || encryption.KeyBits == 256; {
	case !usual:
	case encryption.ID == msg.EncrAESGCM16 && aesKey && none:
		return Suite{encr: size + saltSize, protect: newGCM}, nil
	case encryption.ID == msg.EncrChaCha20 && encryption.KeyBits == 0 && none:
		return Suite{encr: chachaKey + saltSize, protect: newChaCha}, nil
	case encryption.ID == msg.EncrAESCBC && aesKey && known:
		return Suite{encr: size, auth: mac.key, protect: mac.newCBC}, nil
	}
	return Suite{}, fmt.Errorf("protection by %s and %s: we do not have it", encryption, integrity)
}

// KeySizes are the lengths of SK_e and SK_a in bytes.
func (s Suite) KeySizes() (encr, auth int) { return s.encr, s.auth }

// mac is an integrity transform.
type mac struct {
	hash func() hash.Hash
	key  int // bytes: all of the hash (RFC 4868, RFC 2404)
	icv  int // bytes: half of it, of SHA-1 12
}

func newMAC(t msg.Transform) (mac, bool) {
	if t.Type != msg.Integrity {
		return mac{}, false
	}
	switch t.ID {
	case msg.IntegSHA1: // for Windows as it comes; strict FIPS mode has no such HMAC
		return mac{sha1.New, sha1.Size, 12}, !fips140.Enabled()
	case msg.IntegSHA256:
		return mac{sha256.New, sha256.Size, sha256.Size / 2}, true
	case msg.IntegSHA384:
		return mac{sha512.New384, sha512.Size384, sha512.Size384 / 2}, true
	case msg.IntegSHA512:
		return mac{sha512.New, sha512.Size, sha512.Size / 2}, true
	}
	return mac{}, false
}
