package key

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
)

// Identity is a node's identity key: ECDSA on P-256, because FIPS 186-5, TPMs and every IPsec peer accept it. It signs the
// node's record, its certificate requests and its TLS handshakes, and never leaves the machine that made it.
type Identity struct{ k *ecdsa.PrivateKey }

const identityPEM = "PRIVATE KEY"

// NewIdentity makes a key from the operating system's random source.
func NewIdentity() (Identity, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return Identity{k}, err
}

// ParseIdentity reads what PEM wrote: a PKCS #8 block with a P-256 key.
func ParseIdentity(text []byte) (Identity, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != identityPEM {
		return Identity{}, errors.New("identity key: no PRIVATE KEY block in PEM")
	}
	a, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Identity{}, errors.New("identity key: not PKCS #8") // the cause could quote the key
	}
	k, ok := a.(*ecdsa.PrivateKey)
	if !ok || k.Curve != elliptic.P256() {
		return Identity{}, errors.New("identity key: not ECDSA on P-256")
	}
	return Identity{k}, nil
}

// PEM returns the key itself, for the disk.
func (i Identity) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(i.k)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: identityPEM, Bytes: der}), nil
}

// IsZero reports whether there is no key.
func (i Identity) IsZero() bool { return i.k == nil }

// Signer returns the key for crypto/tls and crypto/x509.
func (i Identity) Signer() *ecdsa.PrivateKey { return i.k }

// Public returns the public half.
func (i Identity) Public() IdentityPublic {
	p, err := publicOf(&i.k.PublicKey)
	if err != nil {
		panic("key: an identity that we made or parsed is not on its curve")
	}
	return p
}

// Sign signs SHA-256 of message. The signature is 64 bytes, r and s one after the other (as in RFC 7518, section 3.4).
func (i Identity) Sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, i.k, sum[:])
	if err != nil {
		return nil, err
	}
	b := make([]byte, SignatureSize)
	r.FillBytes(b[:32])
	s.FillBytes(b[32:])
	return b, nil
}

// Format implements fmt.Formatter: no verb shows the key.
func (Identity) Format(s fmt.State, _ rune) { io.WriteString(s, Redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Identity) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue implements slog.LogValuer.
func (Identity) LogValue() slog.Value { return slog.StringValue(Redacted) }

// SignatureSize is the length of a signature in bytes.
const SignatureSize = 64

// IdentityPublic is the public half of an Identity as a compressed point of P-256 (SEC 1, section 2.3.3), 33 bytes.
type IdentityPublic [33]byte

// PublicOf returns the identity in a certificate or a certificate request.
func PublicOf(public any) (IdentityPublic, error) {
	k, ok := public.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return IdentityPublic{}, errors.New("identity key: not ECDSA on P-256")
	}
	return publicOf(k)
}

func publicOf(k *ecdsa.PublicKey) (p IdentityPublic, err error) {
	b, err := k.Bytes() // 4, x, y
	if err != nil || len(b) != 65 {
		return p, errors.New("identity key: not a point of P-256")
	}
	p[0] = 2 | b[64]&1
	copy(p[1:], b[1:33])
	return p, nil
}

// point returns the key as a point of the curve; nil if it is none.
func (p IdentityPublic) point() *ecdsa.PublicKey {
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), p[:])
	if x == nil {
		return nil
	}
	b := make([]byte, 65)
	b[0] = 4
	x.FillBytes(b[1:33])
	y.FillBytes(b[33:])
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b)
	if err != nil {
		return nil
	}
	return k
}

// ParseIdentityPublic reads a compressed point and checks that it lies on the curve.
func ParseIdentityPublic(b []byte) (IdentityPublic, error) {
	var p IdentityPublic
	if len(b) != len(p) {
		return p, fmt.Errorf("identity key: %d bytes, want %d", len(b), len(p))
	}
	copy(p[:], b)
	if p.point() == nil {
		return p, errors.New("identity key: not a point of P-256")
	}
	return p, nil
}

// Verify reports whether signature is that of message under this key.
func (p IdentityPublic) Verify(message, signature []byte) bool {
	k := p.point()
	if k == nil || len(signature) != SignatureSize {
		return false
	}
	sum := sha256.Sum256(message)
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	return ecdsa.Verify(k, sum[:], r, s)
}

// Fingerprint is how people compare a key or a certificate: SHA-256 of its SubjectPublicKeyInfo.
func Fingerprint(c *x509.Certificate) [32]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }
