package key

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// PresharedSize is the length of a Preshared in bytes.
const PresharedSize = 32

// Preshared is a WireGuard preshared key, which two peers mix into their handshakes. The zero Preshared is none: WireGuard
// takes 32 zero bytes for a peer without one.
type Preshared struct{ b [PresharedSize]byte }

// NewPreshared makes a key from the operating system's random source.
func NewPreshared() Preshared {
	var k Preshared
	rand.Read(k.b[:])
	return k
}

// ParsePreshared takes the bytes that Bytes returned; no bytes are no key.
func ParsePreshared(b []byte) (Preshared, error) {
	var k Preshared
	if len(b) != len(k.b) && len(b) != 0 {
		return k, fmt.Errorf("WireGuard preshared key: %d bytes, want %d", len(b), len(k.b))
	}
	copy(k.b[:], b)
	return k, nil
}

// RawPreshared takes what Raw returned: zeros are no key.
func RawPreshared(b [PresharedSize]byte) Preshared { return Preshared{b} }

// ParsePresharedText takes what Text returned; an empty text is no key. The error does not quote it.
func ParsePresharedText(s string) (Preshared, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return Preshared{}, errors.New("WireGuard preshared key: want 32 bytes in base64")
	}
	return ParsePreshared(b)
}

// IsZero reports whether there is no key.
func (k Preshared) IsZero() bool {
	return subtle.ConstantTimeCompare(k.b[:], make([]byte, PresharedSize)) == 1
}

// Bytes returns the key itself, for the wire and the disk; nil if there is none.
func (k Preshared) Bytes() []byte {
	if k.IsZero() {
		return nil
	}
	return append([]byte(nil), k.b[:]...)
}

// Raw returns the key itself, for the tunnel; zeros if there is none.
func (k Preshared) Raw() [PresharedSize]byte { return k.b }

// Text returns the key itself in the form that WireGuard's tools use: base64 with padding; empty if there is none.
func (k Preshared) Text() string { return base64.StdEncoding.EncodeToString(k.Bytes()) }

// Hex returns the key itself in the form of WireGuard's configuration protocol, where 64 zeros are none.
func (k Preshared) Hex() string { return hex.EncodeToString(k.b[:]) }

// Format implements fmt.Formatter: no verb shows the key.
func (Preshared) Format(s fmt.State, _ rune) { io.WriteString(s, Redacted) }

// MarshalText implements encoding.TextMarshaler: JSON does not show the key either.
func (Preshared) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue implements slog.LogValuer.
func (Preshared) LogValue() slog.Value { return slog.StringValue(Redacted) }
