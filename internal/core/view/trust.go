package view

import (
	"bytes"

	"github.com/cvlan/cvlan/proto/control"
)

// trust is what the tenant's authorities are worth. Like the relays it is soft state with one encoding for all, under one version; unlike them it
// is told to every node.
type trust struct {
	field   []byte // Map.authorities, encoded; nil: not known
	version uint64 // soft version of the newest change
}

// SetAuthorities replaces what the tenant's authorities are worth.
func (v *View) SetAuthorities(a control.Authorities) Change {
	field := appendBytes(nil, mapTrust, control.EncodeAuthorities(a))
	if bytes.Equal(field, v.trust.field) {
		return Change{}
	}
	v.soft++
	v.trust = trust{field, v.soft}
	return Change{scope: all}
}

// distrusts reports whether who stands at a position has to be told what authorities are worth.
func (v *View) distrusts(from Cursor) bool {
	return v.trust.field != nil && (v.trust.version > v.softSince(from) || v.otherBoot(from))
}

func (p *pieces) trust(t *trust) {
	p.room(len(t.field))
	p.buf = append(p.buf, t.field...)
}
