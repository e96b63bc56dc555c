// Package ticket writes and reads the strings that people carry from the controller to a machine: join keys, admin keys and the keys
// of relays.
//
// One string holds all that the other side needs to find the controller, to know that it is the right one, and to prove a
// right: addresses, the pin of the certificate authority, an identifier and a secret. A checksum tells a mistyped or truncated
// string from a refused one before anything is sent.
//
// The form is a prefix that names the kind and version, then base64url (RFC 4648, section 5, without padding) of
//
//	pin      32 bytes   SHA-256 of the root certificate's SubjectPublicKeyInfo
//	id        8 bytes   big endian; which key this is, no secret
//	secret   32 bytes
//	count     1 byte    addresses, 1 to 8
//	address   1 byte length, then host:port in ASCII; repeated
//	check     4 bytes   the first of SHA-256 over all before, prefix included
package ticket

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/internal/base/key"
)

// Kind says what a ticket is good for; it is the ticket's prefix.
type Kind string

// The kinds of tickets.
const (
	Join  Kind = "cvlan-join-1-"
	Admin Kind = "cvlan-admin-1-"
	Relay Kind = "cvlan-relay-1-"
)

var kinds = []Kind{Join, Admin, Relay}

// Bounds.
const (
	MaxAddrs   = 8
	maxAddrLen = 255
	maxLen     = 4096
	fixed      = 32 + 8 + key.SecretSize + 1
)

// Ticket is what one string carries.
type Ticket struct {
	Kind   Kind
	Addrs  []string // host:port of controllers, most wanted first; 1 to MaxAddrs
	Pin    [32]byte // of the certificate authority
	ID     uint64
	Secret key.Secret
}

// String returns the ticket without its secret, for people and logs. The whole of it is Encode's.
func (t Ticket) String() string {
	return fmt.Sprintf("%s%s (secret)", t.Kind, strings.Join(t.Addrs, ","))
}

// Encode returns the whole ticket, secret included.
func (t Ticket) Encode() (string, error) {
	if !slices.Contains(kinds, t.Kind) {
		return "", errors.New("ticket: unknown kind")
	}
	if len(t.Addrs) == 0 || len(t.Addrs) > MaxAddrs {
		return "", fmt.Errorf("ticket: %d controller addresses, want 1 to %d", len(t.Addrs), MaxAddrs)
	}
	b := append([]byte(nil), t.Pin[:]...)
	b = binary.BigEndian.AppendUint64(b, t.ID)
	b = append(b, t.Secret.Bytes()...)
	b = append(b, byte(len(t.Addrs)))
	for _, a := range t.Addrs {
		if err := checkAddr(a); err != nil {
			return "", err
		}
		b = append(append(b, byte(len(a))), a...)
	}
	return string(t.Kind) + base64.RawURLEncoding.EncodeToString(append(b, check(t.Kind, b)...)), nil
}

// Parse reads what Encode wrote; white space around and line breaks within it are forgiven. Its errors never quote the string.
func Parse(want Kind, s string) (Ticket, error) {
	t := Ticket{Kind: want}
	s = strings.Join(strings.Fields(s), "")
	noun := want.noun()
	switch {
	case s == "":
		return t, fmt.Errorf("%s: empty; paste the whole string that was printed when it was made", noun)
	case len(s) > maxLen:
		return t, fmt.Errorf("%s: longer than %d characters; is this the right file?", noun, maxLen)
	case !strings.HasPrefix(s, string(want)):
		for _, other := range kinds {
			if strings.HasPrefix(s, string(other)) {
				return t, fmt.Errorf("%s: this is %s; they are not the same thing", noun, other.article()+other.noun())
			}
		}
		return t, fmt.Errorf("%s: does not begin with %q; is this the right string, and of this version?", noun, want)
	}
	b, err := base64.RawURLEncoding.DecodeString(s[len(want):])
	if err != nil || len(b) < fixed+4 || !bytes.Equal(check(want, b[:len(b)-4]), b[len(b)-4:]) {
		return t, fmt.Errorf("%s: mistyped or cut short; copy the whole string again", noun)
	}
	if err := t.decode(b[:len(b)-4]); err != nil {
		return t, fmt.Errorf("%s: %w", noun, err)
	}
	return t, nil
}

func (t *Ticket) decode(b []byte) error {
	copy(t.Pin[:], b)
	t.ID = binary.BigEndian.Uint64(b[32:])
	var err error
	if t.Secret, err = key.ParseSecret(b[40 : 40+key.SecretSize]); err != nil {
		return err
	}
	n := int(b[fixed-1])
	if n == 0 || n > MaxAddrs {
		return fmt.Errorf("names %d controllers, want 1 to %d", n, MaxAddrs)
	}
	for b = b[fixed:]; n > 0; n-- {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return errors.New("an address is cut short")
		}
		a := string(b[1 : 1+int(b[0])])
		if err := checkAddr(a); err != nil {
			return err
		}
		t.Addrs, b = append(t.Addrs, a), b[1+int(b[0]):]
	}
	if len(b) != 0 {
		return errors.New("has more in it than it says")
	}
	return nil
}

func (k Kind) noun() string {
	switch k {
	case Admin:
		return "admin key"
	case Relay:
		return "relay key"
	}
	return "join key"
}

func (k Kind) article() string {
	if k == Admin {
		return "an "
	}
	return "a "
}

func check(k Kind, b []byte) []byte {
	sum := sha256.Sum256(append([]byte(k), b...))
	return sum[:4]
}

// checkAddr accepts host:port in printable ASCII.
func checkAddr(a string) error {
	host, port, err := net.SplitHostPort(a)
	if err != nil || host == "" || len(a) > maxAddrLen {
		return fmt.Errorf("controller address %.60q: want host:port", a)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("controller address %.60q: the port is not a number from 1 to 65535", a)
	}
	for _, c := range []byte(a) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("controller address %.60q: has characters that no address has", a)
		}
	}
	return nil
}
