package crypt

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
)

// curve is Diffie-Hellman with an elliptic curve: Curve25519 (RFC 8031), or those of RFC 5903, whose points are x and y without
// the byte that says so, and whose secret is x alone.
type curve struct {
	ecdh   ecdh.Curve
	prefix int // bytes that a point has in the library and not in IKE
}

type curveOffer struct {
	curve curve
	key   *ecdh.PrivateKey
}

const uncompressed = 4 // what the byte says

func (c curve) Offer() (Offer, error) {
	key, err := c.ecdh.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for %s: %w", c.ecdh, err)
	}
	return curveOffer{c, key}, nil
}

func (c curve) Answer(offered []byte) (answer, shared []byte, err error) {
	own, err := c.Offer()
	if err != nil {
		return nil, nil, err
	}
	if shared, err = own.Finish(offered); err != nil {
		return nil, nil, err
	}
	return own.Public(), shared, nil
}

func (o curveOffer) Public() []byte { return o.key.PublicKey().Bytes()[o.curve.prefix:] }

// Finish refuses what is no point of the curve, and a secret that does not depend on our key (RFC 6989 §2.3, RFC 8031 §3.2).
func (o curveOffer) Finish(answer []byte) ([]byte, error) {
	point := answer
	if o.curve.prefix > 0 {
		point = append([]byte{uncompressed}, answer...)
	}
	public, err := o.curve.ecdh.NewPublicKey(point)
	if err != nil {
		return nil, fmt.Errorf("key exchange with %s: %w", o.curve.ecdh, err)
	}
	shared, err := o.key.ECDH(public)
	if err != nil {
		return nil, fmt.Errorf("key exchange with %s: %w", o.curve.ecdh, err)
	}
	return shared, nil
}
