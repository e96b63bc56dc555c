// Package ident holds the identifiers of CVLAN's nouns, a distinct type for each, so that a tenant's number can never be
// passed where a node's is wanted.
//
// An identifier is 63 random bits: it fits a database's BIGINT, costs eight bytes on the wire, is never reused, and tells
// nothing about how many siblings it has. People see it as a letter and thirteen characters of Crockford's base 32.
package ident

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
)

type kind interface{ letter() byte }

type (
	tenantKind  struct{}
	networkKind struct{}
	nodeKind    struct{}
	plainKind   struct{}
	joinKeyKind struct{}
	apiKeyKind  struct{}
	ctrlKind    struct{}
	relayKind   struct{}
)

func (tenantKind) letter() byte  { return 't' }
func (networkKind) letter() byte { return 'v' }
func (nodeKind) letter() byte    { return 'n' }
func (plainKind) letter() byte   { return 'p' }
func (joinKeyKind) letter() byte { return 'j' }
func (apiKeyKind) letter() byte  { return 'k' }
func (ctrlKind) letter() byte    { return 'c' }
func (relayKind) letter() byte   { return 'r' }

// ID identifies one thing of kind K. The zero ID identifies nothing.
type ID[K kind] uint64

// The identifiers of the product's nouns.
type (
	Tenant     = ID[tenantKind]
	Network    = ID[networkKind]
	Node       = ID[nodeKind]
	Plain      = ID[plainKind] // a WireGuard device without an agent
	JoinKey    = ID[joinKeyKind]
	APIKey     = ID[apiKeyKind]
	Controller = ID[ctrlKind]
	Relay      = ID[relayKind]
)

const (
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford, lower case
	digits   = 13                                 // 13 * 5 bits hold 63
)

// New draws a fresh identifier from the operating system's random source.
func New[T ~uint64]() T {
	var b [8]byte
	for {
		rand.Read(b[:])
		if v := binary.BigEndian.Uint64(b[:]) >> 1; v != 0 {
			return T(v)
		}
	}
}

// IsZero reports whether the identifier identifies nothing.
func (i ID[K]) IsZero() bool { return i == 0 }

// String returns the form that people and JSON see, such as "n0c9k2v4m8q1xz".
func (i ID[K]) String() string {
	var k K
	b := make([]byte, 1+digits)
	b[0] = k.letter()
	v := uint64(i)
	for at := digits; at > 0; at-- {
		b[at] = alphabet[v&31]
		v >>= 5
	}
	return string(b)
}

// MarshalText implements encoding.TextMarshaler with String.
func (i ID[K]) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it accepts what Parse accepts.
func (i *ID[K]) UnmarshalText(text []byte) error {
	v, err := Parse[K](string(text))
	if err != nil {
		return err
	}
	*i = v
	return nil
}

// Parse reads the form that String writes, in either case. It refuses identifiers of another kind, and the zero identifier.
func Parse[K kind](s string) (ID[K], error) {
	var k K
	t := strings.ToLower(s)
	if len(t) != 1+digits || t[0] != k.letter() {
		return 0, fmt.Errorf("identifier %.20q: not of the form %c and %d characters", s, k.letter(), digits)
	}
	var v uint64
	for _, c := range []byte(t[1:]) {
		d := strings.IndexByte(alphabet, c)
		if d < 0 {
			return 0, fmt.Errorf("identifier %.20q: has the character %q, which identifiers never have", s, c)
		}
		if v>>58 != 0 {
			return 0, fmt.Errorf("identifier %.20q: out of range", s)
		}
		v = v<<5 | uint64(d)
	}
	if v == 0 {
		return 0, fmt.Errorf("identifier %.20q: is zero, which identifies nothing", s)
	}
	return ID[K](v), nil
}
