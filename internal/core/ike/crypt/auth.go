package crypt

import (
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Transcript is what one side's AUTH covers, §2.15, and RFC 9242 §3.3.2 for Intermediate.
type Transcript struct {
	Init         []byte       // its message of IKE_SA_INIT, all of it, as it was sent in the end
	Nonce        []byte       // of the other side
	ID           msg.Identity // its own
	Peer         []byte       // SK_pi or SK_pr, its own
	Intermediate []byte       // IntAuth; none without IKE_INTERMEDIATE
}

// octets are what is signed.
func (t Transcript) octets(p PRF) []byte {
	return slices.Concat(t.Init, t.Nonce, p.Sum(t.Peer, t.ID.Append(nil)), t.Intermediate)
}

// Intermediate adds one message of IKE_INTERMEDIATE to what its side has sent before (RFC 9242 §3.3.2): head is the header of the
// message, first and plain are the payloads inside SK, peer is the side's SK_p while the message is sent. That it came in
// fragments, or how it was protected, makes no difference.
func (p PRF) Intermediate(peer, before []byte, head msg.Header, first msg.PayloadType, plain []byte) ([]byte, error) {
	whole, err := head.AppendSK(nil, first, len(plain)+1)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(whole[24:], uint32(len(whole)+len(plain)))
	binary.BigEndian.PutUint16(whole[msg.HeaderSize+2:], uint16(msg.GenericSize+len(plain)))
	return p.Sum(peer, before, whole, plain), nil
}

// IntAuth is Transcript.Intermediate for both sides: what each has sent, and the ID of the message with AUTH.
func IntAuth(initiator, responder []byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(slices.Concat(initiator, responder), id)
}

// Credential is what we prove our identity with: one of both.
type Credential struct {
	Shared []byte        // a secret that the peer has too
	Key    crypto.Signer // whose certificate, or public key, the peer trusts
}

// Evidence is what a peer's proof is held against: one of both.
type Evidence struct {
	Shared []byte
	Public crypto.PublicKey
	Until  mono.Time // when it ends, as a certificate does; Never: it does not
}

// Proof is that a peer is who it says it is. Only Verify makes one that is Valid.
type Proof struct {
	id     msg.Identity
	method msg.AuthMethod
	until  mono.Time
}

// Valid reports whether there is a proof at all.
func (p Proof) Valid() bool { return p.method != 0 }

// Identity is who the peer is.
func (p Proof) Identity() msg.Identity { return p.id }

// Until is when the proof is of no use any more; Never: it has no end.
func (p Proof) Until() mono.Time { return p.until }

// Method is how it proved that.
func (p Proof) Method() msg.AuthMethod { return p.method }

var (
	errNoProof = errors.New("authentication failed: the proof is wrong")
	errNoKey   = errors.New("authentication failed: there is no key to hold the proof against")
)

// leastShared is the least that a shared secret may have, in bytes. More is wise: §2.15 says why. FIPS mode wants 112 bits of a key of
// HMAC, and its strict form would not return from less.
func leastShared() int {
	if fips140.Enabled() {
		return 14
	}
	return 8
}

// keyPad is what a shared secret is mixed with, so that who stores it need not know the function.
const keyPad = "Key Pad for IKEv2"

// Prove makes our AUTH payload. peer are the hashes that the peer takes.
func (c Credential) Prove(p PRF, s Signatures, peer []Hash, t Transcript) (msg.Auth, error) {
	switch {
	case c.Key != nil:
		return s.Sign(c.Key, peer, t.octets(p))
	case !s.Secrets:
		return msg.Auth{}, fmt.Errorf("prove our identity: %w", s.noSecret())
	case len(c.Shared) < leastShared():
		return msg.Auth{}, fmt.Errorf("prove our identity: there is no key, or a shared secret of less than %d bytes", leastShared())
	}
	return msg.Auth{Method: msg.AuthSharedKey, Data: p.shared(c.Shared, t)}, nil
}

// Verify holds the peer's AUTH payload against what we know of the peer.
func (e Evidence) Verify(p PRF, s Signatures, auth msg.Auth, t Transcript) (Proof, error) {
	switch {
	case e.Public != nil:
		if err := s.verify(e.Public, auth, t.octets(p)); err != nil {
			return Proof{}, err
		}
	case !s.Secrets:
		return Proof{}, s.noSecret()
	case len(e.Shared) < leastShared():
		return Proof{}, errNoKey
	case auth.Method != msg.AuthSharedKey || !hmac.Equal(auth.Data, p.shared(e.Shared, t)):
		return Proof{}, errNoProof
	}
	id := t.ID
	id.Data = slices.Clone(id.Data)
	return Proof{id, auth.Method, e.Until}, nil
}

func (p PRF) shared(secret []byte, t Transcript) []byte {
	return p.Sum(p.Sum(secret, []byte(keyPad)), t.octets(p))
}
