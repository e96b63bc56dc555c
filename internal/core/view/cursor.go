package view

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cvlan/cvlan/proto/control/pb"
)

// Cursor is a position in a tenant's changes; see the section Map of package control.
type Cursor struct{ Epoch, Hard, Boot, Soft uint64 }

// cursorOf reads what a node shows; ok is false if it shows nothing.
func cursorOf(c *pb.Cursor) (at Cursor, ok bool) {
	return Cursor{c.GetEpoch(), c.GetHard(), c.GetBoot(), c.GetSoft()}, c != nil
}

// append appends the cursor as a field of a Map.
func (c Cursor) append(b []byte, field protowire.Number) []byte {
	var body [4 * (1 + maxVarint)]byte
	w := appendVarint(body[:0], 1, c.Epoch)
	w = appendVarint(w, 2, c.Hard)
	w = appendFixed64(w, 3, c.Boot)
	w = appendVarint(w, 4, c.Soft)
	return appendBytes(b, field, w)
}
