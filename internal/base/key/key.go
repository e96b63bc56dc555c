// Package key holds typed keys, so that a private key can never be printed by accident or passed where a public one is wanted.
//
// Private types have no exported bytes but through methods whose names say what happens; String, Format, JSON and slog all show
// "(secret)".
package key

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every private type shows instead of itself.
const Redacted = "(secret)"

// WGPublic is a WireGuard public key: a point of Curve25519 (RFC 7748), 32 bytes.
type WGPublic [32]byte

// String returns the form that WireGuard's tools use: base64 with padding.
func (p WGPublic) String() string { return base64.StdEncoding.EncodeToString(p[:]) }

// Short returns the first eight characters of String, for people and logs.
func (p WGPublic) Short() string { return p.String()[:8] }

// IsZero reports whether there is no key.
func (p WGPublic) IsZero() bool { return p == WGPublic{} }

// MarshalText implements encoding.TextMarshaler.
func (p WGPublic) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *WGPublic) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(b) != len(p) {
		return errors.New("WireGuard public key: want 32 bytes in base64")
	}
	copy(p[:], b)
	return nil
}

// WGPrivate is a WireGuard private key, clamped as RFC 7748 says.
type WGPrivate struct{ b [32]byte }

// NewWGPrivate makes a key from the operating system's random source.
func NewWGPrivate() WGPrivate {
	var k WGPrivate
	rand.Read(k.b[:])
	k.clamp()
	return k
}

// ParseWGPrivate takes the 32 bytes that Bytes returned.
func ParseWGPrivate(b []byte) (WGPrivate, error) {
	var k WGPrivate
	if len(b) != len(k.b) {
		return k, fmt.Errorf("WireGuard private key: %d bytes, want 32", len(b))
	}
	copy(k.b[:], b)
	if k.IsZero() {
		return k, errors.New("WireGuard private key: is zero")
	}
	k.clamp()
	return k, nil
}

func (k *WGPrivate) clamp() {
	k.b[0] &= 248
	k.b[31] = k.b[31]&127 | 64
}

// Public returns the public half.
func (k WGPrivate) Public() WGPublic {
	p, err := ecdh.X25519().NewPrivateKey(k.b[:])
	if err != nil {
		panic("key: X25519 refuses 32 bytes: " + err.Error())
	}
	return WGPublic(p.PublicKey().Bytes())
}

// IsZero reports whether there is no key.
func (k WGPrivate) IsZero() bool { return subtle.ConstantTimeCompare(k.b[:], make([]byte, 32)) == 1 }

// Bytes returns the key itself, for the disk and for the tunnel.
func (k WGPrivate) Bytes() []byte { return append([]byte(nil), k.b[:]...) }

// Hex returns the key itself in the form of WireGuard's configuration protocol.
func (k WGPrivate) Hex() string { return hex.EncodeToString(k.b[:]) }

// Format implements fmt.Formatter: no verb shows the key.
func (WGPrivate) Format(s fmt.State, _ rune) { io.WriteString(s, Redacted) }

// MarshalText implements encoding.TextMarshaler: JSON does not show the key either.
func (WGPrivate) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue implements slog.LogValuer.
func (WGPrivate) LogValue() slog.Value { return slog.StringValue(Redacted) }

// SecretSize is the length of a Secret in bytes.
const SecretSize = 32

// Secret is what a join key or an API key proves. Only its Hash is ever stored by the side that checks it.
type Secret struct{ b [SecretSize]byte }

// NewSecret makes a secret from the operating system's random source.
func NewSecret() Secret {
	var s Secret
	rand.Read(s.b[:])
	return s
}

// ParseSecret takes the bytes that Bytes returned.
func ParseSecret(b []byte) (Secret, error) {
	var s Secret
	if len(b) != len(s.b) {
		return s, fmt.Errorf("secret: %d bytes, want %d", len(b), len(s.b))
	}
	copy(s.b[:], b)
	return s, nil
}

// Bytes returns the secret itself, for the wire.
func (s Secret) Bytes() []byte { return append([]byte(nil), s.b[:]...) }

// Hash returns what is stored in place of the secret: SHA-256 is enough for 256 random bits.
func (s Secret) Hash() [32]byte { return sha256.Sum256(s.b[:]) }

// Matches reports, in constant time, whether hash is the secret's.
func (s Secret) Matches(hash []byte) bool {
	h := s.Hash()
	return subtle.ConstantTimeCompare(h[:], hash) == 1
}

// Format implements fmt.Formatter: no verb shows the secret.
func (Secret) Format(s fmt.State, _ rune) { io.WriteString(s, Redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }
