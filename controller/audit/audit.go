// Package audit makes a tenant's trail of events tamper-evident: every event carries the hash of the one before it, so that no
// event can be changed, removed or inserted without every later hash being wrong. Whoever keeps one hash elsewhere can prove
// later that nothing before it was touched. What the chain cannot show is that its newest events were cut off; the tenant's
// stored head can, and a hash kept elsewhere can. The check of a data folder (cvlan-controller config check) follows every chain to its head.
//
// The package also decides what may stand in an event's detail: never a secret (see Detail).
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// ErrBroken is what Verify's errors wrap.
var ErrBroken = errors.New("the audit trail was changed")

const domain = "cvlan audit event v1"

// Hash returns the hash of an event of a tenant: SHA-256 over
//
//	"cvlan audit event v1" 0x00 tenant(8) prev(32) seq(8) at(8, microseconds since 1970)
//	and, each after its length (4), actor, action, target, detail
//
// with all numbers big endian. The event's own Prev and Hash are not looked at. The first event's prev is zero.
func Hash(tenant ident.Tenant, prev [32]byte, e store.Event) [32]byte {
	b := make([]byte, 0, 512)
	b = append(append(b, domain...), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(tenant))
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	for _, s := range []string{e.Actor, e.Action, e.Target, e.Detail} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// Link is a place in a chain: an event's number and hash. The zero Link stands before the first event.
type Link struct {
	Seq  uint64
	Hash [32]byte
}

// Verify checks that events follow each other and the link after, without a gap, and returns the link of the last one. With the
// link of the tenant's newest event known, comparing it to the result proves that none was cut off.
func Verify(tenant ident.Tenant, after Link, events []store.Event) (Link, error) {
	for _, e := range events {
		switch {
		case e.Seq != after.Seq+1:
			return after, fmt.Errorf("event %d: %w: event %d is missing before it", e.Seq, ErrBroken, after.Seq+1)
		case e.Prev != after.Hash:
			return after, fmt.Errorf("event %d: %w: it does not follow event %d", e.Seq, ErrBroken, after.Seq)
		case e.Hash != Hash(tenant, e.Prev, e):
			return after, fmt.Errorf("event %d: %w: its hash is not that of its content", e.Seq, ErrBroken)
		}
		after = Link{e.Seq, e.Hash}
	}
	return after, nil
}
