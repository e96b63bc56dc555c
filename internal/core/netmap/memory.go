package netmap

import (
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// maxRemembered is how many nodes are remembered that are not in the table any more, at most 3 MB of them.
const maxRemembered = 4096

// memory keeps sound records of nodes that have left the table: policy that hides a node today often shows it again tomorrow, unchanged,
// and to parse a record and verify its signature costs more than all else. Whoever comes first goes first. It says what holds, never who is
// there.
type memory struct {
	known map[ident.Node]*entry
	queue []ident.Node // who is known, oldest first from next on
	next  int
}

// leave remembers an entry that is taken out of the table, if there is nothing wrong with it by itself.
func (m *memory) leave(e *entry) {
	if e.fault != "" || e.peer == nil {
		return
	}
	if m.known == nil {
		m.known = map[ident.Node]*entry{}
	}
	_, queued := m.known[e.id]
	m.known[e.id] = e
	switch {
	case queued:
	case len(m.queue) < maxRemembered:
		m.queue = append(m.queue, e.id)
	default:
		delete(m.known, m.queue[m.next])
		m.queue[m.next] = e.id
		m.next = (m.next + 1) % maxRemembered
	}
}

// back returns an entry for a node that comes back as it was; nil if it does not, or is not remembered.
func (m *memory) back(id ident.Node, p *pb.Peer) *entry {
	old := m.known[id]
	if old == nil || !old.same(p) {
		return nil
	}
	return &entry{id: id, raw: old.raw, signature: old.signature, told: reachOf(p.Routes),
		peer: &Peer{Record: old.peer.Record, Class: p.Class, User: login(p.User)}}
}
