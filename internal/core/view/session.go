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
	sees  bool   // the map has peers, or would have if there were any
	fresh bool   // nothing was sent yet
	queue [][]byte
	to    Cursor // where the queue leads to
	begun bool   // a part of the queue was sent
}

// Resume starts a session for a node that shows a cursor (nil if it has no map). The error is ErrUnknown for a node that is not there.
func (v *View) Resume(id ident.Node, have *pb.Cursor) (*Session, error) {
	m := v.members[id]
	if m == nil {
		return nil, fmt.Errorf("%w: node %s", ErrUnknown, id)
	}
	s := &Session{view: v, m: m, sees: m.sees(), fresh: true}
	s.at, s.has = cursorOf(have)
	if s.at.Epoch != v.cfg.Epoch || s.at.Hard > v.hard || s.at.Hard < max(m.flip, m.network.flip) {
		s.has = false
	}
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
	if s.has && !s.fresh && v.quiet(s.m, s.at) {
		return false
	}
	if !s.has || s.sees && s.at.Hard < s.m.floor() {
		s.queue, s.to = v.snapshot(s.m)
	} else {
		d := v.delta(s.m, s.at)
		if !d.some && !s.fresh {
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
	s.queue, s.begun, s.fresh = nil, false, false
	s.has, s.at = true, s.to
}
