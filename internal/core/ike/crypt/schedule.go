package crypt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Nonces are what both sides put into every derivation, the initiator's first. The initiator is who began the exchange that made
// the keys, which for a later exchange need not be who began the IKE SA.
type Nonces struct{ Initiator, Responder []byte }

// Keys are those of an IKE SA, §2.14.
type Keys struct {
	Derive       []byte // SK_d: for the keys of Child SAs and of the next IKE SA
	AuthI, AuthR []byte // SK_ai, SK_ar: integrity; none with an AEAD
	EncrI, EncrR []byte // SK_ei, SK_er: encryption, with the salt of an AEAD at the end
	PeerI, PeerR []byte // SK_pi, SK_pr: for the AUTH payloads
}

// FirstSeed is SKEYSEED of an IKE SA that replaces none: shared is what its key exchange agreed on.
func (p PRF) FirstSeed(n Nonces, shared []byte) []byte {
	return p.Sum(slices.Concat(n.Initiator, n.Responder), shared)
}

// NextSeed is SKEYSEED of an IKE SA that replaces the one with the given SK_d, whose function p is (§2.18), or of the same SA after an
// additional exchange (RFC 9370 §2.2.2). shared is what the key exchange agreed on, more what additional ones did that belong to the
// same replacement (RFC 9370 §2.2.4).
func (p PRF) NextSeed(derive []byte, n Nonces, shared []byte, more ...[]byte) []byte {
	return p.Sum(derive, shared, n.Initiator, n.Responder, bytes.Join(more, nil))
}

// IKEKeys makes the keys of an IKE SA out of SKEYSEED for messages protected by s.
func (p PRF) IKEKeys(seed []byte, n Nonces, spiI, spiR msg.SPI, s Suite) (Keys, error) {
	encr, auth := s.KeySizes()
	spis := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(spiI)), uint64(spiR))
	b, err := p.Expand(seed, 3*p.size+2*encr+2*auth, n.Initiator, n.Responder, spis)
	if err != nil {
		return Keys{}, err
	}
	take := func(n int) []byte {
		head := b[:n:n]
		b = b[n:]
		return head
	}
	return Keys{
		Derive: take(p.size), AuthI: take(auth), AuthR: take(auth),
		EncrI: take(encr), EncrR: take(encr), PeerI: take(p.size), PeerR: take(p.size),
	}, nil
}

// ChildKeys makes the key material of a Child SA, §2.17: first all keys of the traffic from the initiator to the responder,
// encryption before integrity, then all of the other direction. shared is nil for a Child SA without a key exchange of its own; more
// is as for NextSeed.
func (p PRF) ChildKeys(derive []byte, size int, n Nonces, shared []byte, more ...[]byte) ([]byte, error) {
	return p.Expand(derive, size, shared, n.Initiator, n.Responder, bytes.Join(more, nil))
}
