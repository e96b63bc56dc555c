package control

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/proto/control/pb"
)

// MaxEnded is how many authorities that have ended are told.
const MaxEnded = 64

// MaxRenewalSpread bounds how long a node waits until it renews a certificate of an authority that signs no more.
const MaxRenewalSpread = time.Hour

// Bounds of what other authorities have given a tenant's.
const (
	MaxCross      = 2 // authorities of a tenant: the one that signs and the one before it
	MaxCrossChain = 6 // certificates of one
	MaxCrossBytes = 12 << 10
)

// AuthorityID names an authority: SHA-256 of its certificate in DER.
type AuthorityID [sha256.Size]byte

// AuthorityOf returns an authority's name.
func AuthorityOf(der []byte) AuthorityID { return sha256.Sum256(der) }

// Authorities says whose certificates count among the nodes of a tenant. It is read only.
type Authorities struct {
	Signing AuthorityID   // zero: it is not known
	Ended   []AuthorityID // in order
	Spread  time.Duration // within which a certificate of another than Signing is renewed
	Cross   []Cross       // of those that count and have one
}

// Cross is what another authority, such as a company's, has given one of the tenant's: a chain of certificates by which what that has signed leads to
// another root. Among nodes it is worth nothing; it is for those who know only that root.
type Cross struct {
	Authority AuthorityID
	Chain     [][]byte // DER: for the authority's own key, then those above it, a root last
}

// Equal reports whether two are told alike.
func (c Cross) Equal(o Cross) bool {
	return c.Authority == o.Authority && slices.EqualFunc(c.Chain, o.Chain, bytes.Equal)
}

// CrossOf is the chain of an authority; nil: it has none.
func (a Authorities) CrossOf(id AuthorityID) [][]byte {
	for _, c := range a.Cross {
		if c.Authority == id {
			return c.Chain
		}
	}
	return nil
}

// IsEnded reports whether certificates of an authority count no more.
func (a Authorities) IsEnded(id AuthorityID) bool { return slices.Contains(a.Ended, id) }

// Equal reports whether two are told alike.
func (a Authorities) Equal(o Authorities) bool {
	return a.Signing == o.Signing && a.Spread == o.Spread && slices.Equal(a.Ended, o.Ended) && slices.EqualFunc(a.Cross, o.Cross, Cross.Equal)
}

// Message returns the form that travels.
func (a Authorities) Message() *pb.Authorities {
	m := &pb.Authorities{Signing: a.Signing[:], SpreadMs: uint32(a.Spread.Milliseconds())}
	for _, id := range a.Ended[:min(len(a.Ended), MaxEnded)] {
		m.Ended = append(m.Ended, id[:])
	}
	for _, c := range a.Cross[:min(len(a.Cross), MaxCross)] {
		m.Cross = append(m.Cross, &pb.Cross{Authority: c.Authority[:], Chain: c.Chain})
	}
	return m
}

// EncodeAuthorities returns the body of an Authorities message.
func EncodeAuthorities(a Authorities) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(a.Message())
	if err != nil {
		panic("control: authorities do not marshal: " + err.Error()) // there is no string in them
	}
	return b
}

// ParseAuthorities reads what Message makes, and refuses whatever no controller of ours would send.
func ParseAuthorities(m *pb.Authorities) (a Authorities, err error) {
	if len(m.Signing) != len(a.Signing) || len(m.Ended) > MaxEnded {
		return a, fmt.Errorf("authorities: %d bytes of a name and %d that have ended, want %d and at most %d", len(m.Signing), len(m.Ended), len(a.Signing), MaxEnded)
	}
	a.Signing = AuthorityID(m.Signing)
	a.Spread = min(time.Duration(m.SpreadMs)*time.Millisecond, MaxRenewalSpread)
	for _, id := range m.Ended {
		if len(id) != len(a.Signing) {
			return a, fmt.Errorf("authorities: %d bytes of a name, want %d", len(id), len(a.Signing))
		}
		a.Ended = append(a.Ended, AuthorityID(id))
	}
	if len(m.Cross) > MaxCross {
		return a, fmt.Errorf("authorities: %d that others have certified, want at most %d", len(m.Cross), MaxCross)
	}
	for _, c := range m.Cross {
		size := len(bytes.Join(c.Chain, nil))
		if len(c.Authority) != len(a.Signing) || len(c.Chain) == 0 || len(c.Chain) > MaxCrossChain || size > MaxCrossBytes {
			return a, fmt.Errorf("authorities: %d certificates of %d bytes of another authority, want 1 to %d and at most %d", len(c.Chain), size, MaxCrossChain, MaxCrossBytes)
		}
		a.Cross = append(a.Cross, Cross{AuthorityID(c.Authority), c.Chain})
	}
	return a, nil
}
