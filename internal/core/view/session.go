package view

import (
	"fmt"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Session is how far one connected node is. It belongs to its View's owner and needs no closing.
type Session struct {
	view  *View
	m     *member
	has   bool   // the node has a map, and stands at
	at    Cursor // the position that its last frame led to
	base  Cursor // from there to here nothing concerned it
	sees  bool   // the map has peers, or would have if there were any
	fresh bool   // nothing was sent yet
	queue [][]byte
	to    Cursor // where the queue leads to
	begun bool   // a part of the queue was sent
	rules uint64 // the name of the rules that the node has; 0: none
	next  uint64 // that of those in the queue, or of those it has
}

// Resume starts a session for a node that shows a cursor (nil if it has no map) and the name of its rules. The error is ErrUnknown for a
// node that is not there.
func (v *View) Resume(id ident.Node, have *pb.Cursor, rules uint64) (*Session, error) {
	m := v.members[id]
	if m == nil {
		return nil, fmt.Errorf("%w: node %s", ErrUnknown, id)
	}
	s := &Session{view: v, m: m, sees: m.sees(), fresh: true, rules: rules}
	s.at, s.has = cursorOf(have)
	if s.at.Epoch != v.cfg.Epoch || s.at.Hard > v.hard || s.at.Hard < max(m.flip, m.network.flip) {
		s.has = false
	}
	s.base = s.at
	return s, nil
}

// Node returns whose session it is.
func (s *Session) Node() ident.Node { return s.m.id }

// Gone reports whether the node was removed: there is nothing more to say but Goaway.
func (s *Session) Gone() bool { return s.m.gone }

// Next returns the bytes to send next, one whole frame, or nil if the node is up to date. The first frame of a session comes even
// if nothing changed, so that the node knows. The bytes are shared and never change. Once the stream has taken them call Sent,
// and Next not before; the View may change meanwhile.
func (s *Session) Next() []byte {
	if s.m.gone {
		return nil
	}
	if sees := s.m.sees(); sees != s.sees {
		s.sees, s.has, s.begun = sees, false, false // also in the middle of a map: a snapshot replaces what has not been applied
	}
	if !s.begun && !s.fill() {
		return nil
	}
	return s.queue[0]
}

// fill makes the queue from the present state.
func (s *Session) fill() bool {
	v := s.view
	name, body := s.m.rules()
	if name == s.rules {
		body = nil
	}
	if s.has && !s.fresh && name == s.rules && v.quiet(s.m, s.base) {
		return false
	}
	s.next = name
	if !s.has || s.sees && (s.base.Hard < s.m.floor() || !s.m.reaches(s.base.Hard)) {
		s.queue, s.to = v.snapshot(s.m, name, body)
	} else {
		d := v.delta(s.m, s.at, s.base, name, body)
		if !d.some && !s.fresh && !s.m.network.lags(s.at.Hard) {
			s.base = v.Cursor()
			v.told = max(v.told, v.hard)
			return false
		}
		s.queue, s.to = d.pieces, v.Cursor()
	}
	v.told = max(v.told, v.hard)
	return true
}

// Sent notes that what Next last returned is on its way.
func (s *Session) Sent() {
	s.queue, s.begun = s.queue[1:], true
	if len(s.queue) > 0 {
		return
	}
	s.queue, s.begun, s.fresh, s.rules = nil, false, false, s.next
	s.has, s.at, s.base = true, s.to, s.to
}
