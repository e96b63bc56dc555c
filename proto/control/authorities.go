package control

import (
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

// AuthorityID names an authority: SHA-256 of its certificate in DER.
type AuthorityID [sha256.Size]byte

// AuthorityOf returns an authority's name.
func AuthorityOf(der []byte) AuthorityID { return sha256.Sum256(der) }

// Authorities says whose certificates count among the nodes of a tenant. It is read only.
type Authorities struct {
	Signing AuthorityID   // zero: it is not known
	Ended   []AuthorityID // in order
	Spread  time.Duration // within which a certificate of another than Signing is renewed
}

// IsEnded reports whether certificates of an authority count no more.
func (a Authorities) IsEnded(id AuthorityID) bool { return slices.Contains(a.Ended, id) }

// Equal reports whether two are told alike.
func (a Authorities) Equal(o Authorities) bool {
	return a.Signing == o.Signing && a.Spread == o.Spread && slices.Equal(a.Ended, o.Ended)
}

// Message returns the form that travels.
func (a Authorities) Message() *pb.Authorities {
	m := &pb.Authorities{Signing: a.Signing[:], SpreadMs: uint32(a.Spread.Milliseconds())}
	for _, id := range a.Ended[:min(len(a.Ended), MaxEnded)] {
		m.Ended = append(m.Ended, id[:])
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
	return a, nil
}
