package crypt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Hash is a hash of SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4).
type Hash uint16

// The hashes that we have.
const (
	SHA256   Hash = 2
	SHA384   Hash = 3
	SHA512   Hash = 4
	Identity Hash = 5 // none: Ed25519 takes the octets themselves (RFC 8420)
)

func (h Hash) function() crypto.Hash {
	return map[Hash]crypto.Hash{SHA256: crypto.SHA256, SHA384: crypto.SHA384, SHA512: crypto.SHA512}[h]
}

func (h Hash) sum(b []byte) []byte {
	if h == Identity {
		return b
	}
	f := h.function().New()
	f.Write(b)
	return f.Sum(nil)
}

// AppendHashes writes the data of SIGNATURE_HASH_ALGORITHMS.
func AppendHashes(b []byte, hashes []Hash) []byte {
	for _, h := range hashes {
		b = binary.BigEndian.AppendUint16(b, uint16(h))
	}
	return b
}

// ParseHashes reads it. Those that we do not know are left out.
func ParseHashes(b []byte) (hashes []Hash) {
	for ; len(b) >= 2; b = b[2:] {
		if h := Hash(binary.BigEndian.Uint16(b)); h >= SHA256 && h <= Identity && !slices.Contains(hashes, h) {
			hashes = append(hashes, h)
		}
	}
	return hashes
}

// Signatures are those that are made and believed, and whether anything else proves who somebody is. The zero value believes none.
type Signatures struct {
	Hashes  []Hash // best first
	Curves  []int  // bits of the curves of ECDSA
	Ed25519 bool
	RSA     int  // bits that a key of RSA has at least; 0: none is good enough
	PKCS1   bool // signatures of RSA without PSS are believed; they are never made
	Secrets bool // who knows a shared secret needs none
}

// leastExponent is the least of a public key of RSA, FIPS 186-5 §5.1 (c). Nothing of this century has a smaller one.
const leastExponent = 1<<16 + 1

// errSignature does not say what was wrong: the peer is a stranger still.
var errSignature = errors.New("the signature is not the key's")

// Sign makes the AUTH payload for octets. peer is what the peer's SIGNATURE_HASH_ALGORITHMS has; without one, only ECDSA can be
// used, in the way of RFC 4754.
func (s Signatures) Sign(key crypto.Signer, peer []Hash, octets []byte) (msg.Auth, error) {
	if err := s.allows(key.Public()); err != nil {
		return msg.Auth{}, err
	}
	if public, ok := key.Public().(*ecdsa.PublicKey); ok && len(peer) == 0 {
		return signRaw(key, public, octets)
	}
	sch, err := s.scheme(key.Public(), peer)
	if err != nil {
		return msg.Auth{}, err
	}
	sig, err := key.Sign(rand.Reader, sch.hash.sum(octets), sch.options())
	if err != nil {
		return msg.Auth{}, fmt.Errorf("sign the proof of our identity: %w", err)
	}
	return msg.NewSignature(sch.ids[0], sig)
}

// scheme is what to sign with: the hash that fits the key, if the peer takes it, or else the best that it does.
func (s Signatures) scheme(public crypto.PublicKey, peer []Hash) (scheme, error) {
	wanted := s.Hashes
	if k, ok := public.(*ecdsa.PublicKey); ok {
		wanted = append([]Hash{curveHash(k)}, wanted...)
	}
	for _, h := range wanted {
		for _, sch := range schemes {
			if sch.hash == h && !sch.old && sch.fits(public) && slices.Contains(peer, h) && slices.Contains(s.Hashes, h) {
				return sch, nil
			}
		}
	}
	return scheme{}, fmt.Errorf("prove our identity: no hash for a key of type %T is among those that the peer takes, %v", public, peer)
}

// Names are the kinds of signatures that are believed, for people.
func (s Signatures) Names() []string {
	all := s.best()
	if s.RSA > 0 && s.PKCS1 {
		all = append(all, "RSA PKCS #1 v1.5 (of peers only)")
	}
	return all
}

// best are those of them that are made too.
func (s Signatures) best() (all []string) {
	for _, bits := range s.Curves {
		all = append(all, fmt.Sprintf("ECDSA P-%d", bits))
	}
	if s.Ed25519 {
		all = append(all, "Ed25519")
	}
	if s.RSA > 0 {
		all = append(all, fmt.Sprintf("RSA-PSS from %d bits", s.RSA))
	}
	return all
}

// allows says which key is not to be believed, and which would be.
func (s Signatures) allows(public crypto.PublicKey) error {
	kind := fmt.Sprintf("a key of type %T", public)
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if slices.Contains(s.Curves, k.Curve.Params().BitSize) {
			return nil
		}
		kind = "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		if s.Ed25519 && len(k) == ed25519.PublicKeySize {
			return nil
		}
		kind = "Ed25519"
	case *rsa.PublicKey:
		if s.RSA > 0 && k.N.BitLen() >= s.RSA && k.E >= leastExponent {
			return nil
		}
		kind = fmt.Sprintf("RSA of %d bits", k.N.BitLen())
		if k.E < leastExponent {
			kind += fmt.Sprintf(" and the exponent %d", k.E)
		}
	}
	return fmt.Errorf("signatures with %s are not allowed; use %s", kind, strings.Join(s.best(), ", "))
}

// noSecret says why a shared secret proves nothing.
func (s Signatures) noSecret() error {
	return fmt.Errorf("authentication by %s is not allowed; use %s", msg.AuthSharedKey, strings.Join(s.best(), ", "))
}

// Chain reports whether every certificate on a path, from a peer's to a root, has a key that may sign and is signed by a hash that is believed. Nobody's
// opinion of the root's own signature matters: it is trusted for itself.
func (s Signatures) Chain(path []*x509.Certificate) error {
	for i, c := range path {
		if err := s.allows(c.PublicKey); err != nil {
			return fmt.Errorf("the certificate of %s: %w", c.Subject, err)
		}
		if i < len(path)-1 && !s.Certify(c.SignatureAlgorithm) {
			return fmt.Errorf("the certificate of %s: signed by %s, which is not allowed", c.Subject, c.SignatureAlgorithm)
		}
	}
	return nil
}

// Certify reports whether signatures of a kind may be on certificates and revocation lists.
func (s Signatures) Certify(a x509.SignatureAlgorithm) bool {
	return slices.ContainsFunc(s.Hashes, func(h Hash) bool { return slices.Contains(certified[h], a) })
}

// certified are the signatures of certificates by the hash that is in them.
var certified = map[Hash][]x509.SignatureAlgorithm{
	SHA256:   {x509.ECDSAWithSHA256, x509.SHA256WithRSA, x509.SHA256WithRSAPSS},
	SHA384:   {x509.ECDSAWithSHA384, x509.SHA384WithRSA, x509.SHA384WithRSAPSS},
	SHA512:   {x509.ECDSAWithSHA512, x509.SHA512WithRSA, x509.SHA512WithRSAPSS},
	Identity: {x509.PureEd25519},
}

// verify reports whether auth is a signature of octets that we believe.
func (s Signatures) verify(public crypto.PublicKey, auth msg.Auth, octets []byte) error {
	if err := s.allows(public); err != nil {
		return err
	}
	switch auth.Method {
	case msg.AuthECDSA256, msg.AuthECDSA384, msg.AuthECDSA521:
		return s.verifyRaw(public, auth, octets)
	case msg.AuthSignature:
	default:
		return fmt.Errorf("authentication by %s is not allowed", auth.Method)
	}
	id, sig, ok := auth.Signature()
	if !ok {
		return errSignature
	}
	for _, sch := range schemes {
		if !slices.ContainsFunc(sch.ids, func(known []byte) bool { return bytes.Equal(known, id) }) {
			continue
		}
		if !slices.Contains(s.Hashes, sch.hash) || !sch.fits(public) || sch.old && !s.PKCS1 {
			return fmt.Errorf("signatures of the kind %s are not allowed with this key", sch.name)
		}
		if !sch.verify(public, sch.hash.sum(octets), sig) {
			return errSignature
		}
		return nil
	}
	return fmt.Errorf("the algorithm of a signature is unknown: %x", id)
}

// rawMethods are those of RFC 4754, where the curve says the hash and the signature is two numbers of the curve's size.
var rawMethods = map[int]struct {
	method msg.AuthMethod
	hash   Hash
}{256: {msg.AuthECDSA256, SHA256}, 384: {msg.AuthECDSA384, SHA384}, 521: {msg.AuthECDSA521, SHA512}}

func curveHash(k *ecdsa.PublicKey) Hash { return rawMethods[k.Curve.Params().BitSize].hash }

type point struct{ R, S *big.Int }

func signRaw(key crypto.Signer, public *ecdsa.PublicKey, octets []byte) (msg.Auth, error) {
	bits := public.Curve.Params().BitSize
	raw, ok := rawMethods[bits]
	if !ok {
		return msg.Auth{}, fmt.Errorf("no authentication method for ECDSA of %d bits", bits)
	}
	der, err := key.Sign(rand.Reader, raw.hash.sum(octets), raw.hash.function())
	if err != nil {
		return msg.Auth{}, fmt.Errorf("sign the proof of our identity: %w", err)
	}
	var p point
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		return msg.Auth{}, fmt.Errorf("sign the proof of our identity: %w", err)
	}
	size := (bits + 7) / 8
	data := make([]byte, 2*size)
	p.R.FillBytes(data[:size])
	p.S.FillBytes(data[size:])
	return msg.Auth{Method: raw.method, Data: data}, nil
}

func (s Signatures) verifyRaw(public crypto.PublicKey, auth msg.Auth, octets []byte) error {
	k, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return errSignature
	}
	bits := k.Curve.Params().BitSize
	raw, size := rawMethods[bits], (bits+7)/8
	if raw.method != auth.Method || len(auth.Data) != 2*size || !slices.Contains(s.Hashes, raw.hash) {
		return errSignature
	}
	der, err := asn1.Marshal(point{new(big.Int).SetBytes(auth.Data[:size]), new(big.Int).SetBytes(auth.Data[size:])})
	if err != nil || !ecdsa.VerifyASN1(k, raw.hash.sum(octets), der) {
		return errSignature
	}
	return nil
}
