package view

import (
	"bytes"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// relays is the list of relays that the tenant's nodes may use. It is soft state: one encoding for all, under one version.
type relays struct {
	field   []byte // Map.relays, encoded; nil: there are none
	version uint64 // soft version of the newest change
}

// SetRelays replaces the list; the caller gives it in an order of its own that is always the same. What comes after
// control.MaxRelays is cut off.
func (v *View) SetRelays(all []control.Relay) Change {
	var field []byte
	if all = all[:min(len(all), control.MaxRelays)]; len(all) > 0 {
		field = appendBytes(nil, mapRelays, control.EncodeRelays(all))
	}
	if bytes.Equal(field, v.relays.field) {
		return Change{}
	}
	v.soft++
	v.relays = relays{field, v.soft}
	return Change{scope: seers}
}

// relays appends the list to a delta. In another boot it always comes: the node may have one that holds no longer.
func (p *pieces) relays(r *relays) {
	p.room(len(r.field) + 2)
	if r.field == nil {
		p.buf = appendBytes(p.buf, mapRelays, nil)
		return
	}
	p.buf = append(p.buf, r.field...)
}

// Mutual reports whether two nodes are shown to each other.
func (v *View) Mutual(a, b ident.Node) bool {
	m, n := v.members[a], v.members[b]
	return m != nil && n != nil && m != n && m.network == n.network && m.sees() && n.sees() && m.shown && n.viewed(m.stand)
}
