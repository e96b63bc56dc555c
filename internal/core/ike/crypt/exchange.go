package crypt

import (
	"crypto/ecdh"
	"fmt"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// A Method is a way for two sides to agree on a secret. One offers, the other answers, and both have it: that fits Diffie-Hellman as
// well as key encapsulation. Methods are safe for concurrent use.
//
// The random numbers are those of the standard library, whose functions take no other.
type Method interface {
	// Offer makes a fresh private value.
	Offer() (Offer, error)
	// Answer returns what goes back to the side that offered, and the secret.
	Answer(offered []byte) (answer, shared []byte, err error)
}

// An Offer is the private part of an exchange, and good for one.
type Offer interface {
	// Public is what goes into the KE payload.
	Public() []byte
	// Finish returns the secret, given the KE payload of the answer.
	Finish(answer []byte) (shared []byte, err error)
}

// NewMethod is the method of a transform of type KeyExchange or AdditionalKE, and of KE payloads. In FIPS mode it refuses those of
// which the Go Cryptographic Module knows nothing.
func NewMethod(id msg.TransformID) (Method, error) {
	switch id {
	case msg.KECurve25519:
		return curve{ecdh.X25519(), 0}, nil
	case msg.KEP256:
		return curve{ecdh.P256(), 1}, nil
	case msg.KEP384:
		return curve{ecdh.P384(), 1}, nil
	case msg.KEP521:
		return curve{ecdh.P521(), 1}, nil
	case msg.KEMLKEM768:
		return kem768{}, nil
	case msg.KEMLKEM1024:
		return kem1024{}, nil
	case msg.KEModp1024:
		return newModp(modp1024)
	case msg.KEModp2048:
		return newModp(modp2048)
	case msg.KEModp3072:
		return newModp(modp3072)
	case msg.KEModp4096:
		return newModp(modp4096)
	}
	return nil, fmt.Errorf("key exchange %s: we do not have it", msg.Transform{Type: msg.KeyExchange, ID: id})
}
