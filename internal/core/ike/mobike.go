package ike

import (
	"bytes"
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Addresses that change while the SAs live (RFC 4555).

// Move says that we are reached by another path from now on. Who began the session tells the peer; one that began it moves alone, so that another
// session takes the place of this. A peer that does not know MOBIKE follows what it hears (RFC 7296 §2.23), and hears a probe.
func (m *Machine) Move(now mono.Time, id ID, path Path, out *Out) error {
	m.advance(now)
	x := m.sessions[id]
	if x == nil {
		return ErrUnknown
	}
	x.path = path
	x.queue = slices.DeleteFunc(x.queue, func(t task) bool { _, stale := t.(*move); return stale })
	var err error
	switch {
	case x.mobile && x.began:
		err = x.enqueue(&move{})
	case x.mobile && !x.peer.Lent:
		x.reauthenticate(out)
	default:
		err = x.enqueue(&probe{})
	}
	if r := x.sa.pending; r != nil && m.now.Sub(r.sent) >= hasten { // it went by the old path
		r.due = m.now
	}
	x.proceed(out)
	m.lookAll(x)
	return err
}

// SetPath is for peers whose paths somebody else looks after: messages go there from now on, and nobody is told.
func (m *Machine) SetPath(id ID, path Path) error {
	if x := m.sessions[id]; x != nil {
		x.path = path
		return nil
	}
	return ErrUnknown
}

// move tells the responder the addresses of the session (RFC 4555 §3.5).
type move struct {
	to *Path // that the responder has been heard from, and may be reached by; nil: the session's
}

func (t *move) String() string { return "move" }

func (t *move) begin(x *session, _ *Out) (msg.Exchange, []msg.Payload, bool) {
	i, r := x.sa.spis()
	ps := append([]msg.Payload{msg.Notify{Kind: msg.UpdateSAAddresses}}, natPayloads(i, r, t.path(x))...)
	return msg.Informational, append(ps, x.m.further(t.path(x).Local.Addr())...), true
}

func (t *move) path(x *session) Path {
	if t.to != nil {
		return *t.to
	}
	return x.path
}

func (t *move) finish(x *session, s *sa, in inbound, out *Out) {
	if n, ok := msg.Refusal(in.payloads); ok {
		x.event(Event{Kind: EventHeard, Path: in.path, Reason: RefusedByPeer, Notify: n.Kind}, out)
		return
	}
	i, r := s.spis()
	x.path, x.nat = t.path(x), natOf(in.payloads, i, r, in.path)
	x.event(Event{Kind: EventMoved, NAT: x.nat}, out)
}

// answerMove is the responder's side: the peer has to prove first that it receives by the new path (RFC 4555 §3.7).
func (x *session) answerMove(s *sa, in inbound, out *Out) []msg.Payload {
	if x.began {
		return []msg.Payload{msg.Notify{Kind: msg.UnacceptableAddresses}}
	}
	i, r := s.spis()
	t := &prove{path: in.path, cookie: x.m.nonce(), nat: natOf(in.payloads, i, r, in.path)}
	if t.path == x.path {
		x.nat = t.nat
		x.event(Event{Kind: EventMoved, NAT: x.nat}, out)
	} else {
		x.wish(t)
	}
	return natPayloads(i, r, in.path)
}

// prove checks that the peer can be reached by a path.
type prove struct {
	path   Path
	cookie []byte
	nat    NAT
}

func (t *prove) begin(*session, *Out) (msg.Exchange, []msg.Payload, bool) {
	return msg.Informational, []msg.Payload{msg.Notify{Kind: msg.Cookie2, Data: t.cookie}}, true
}

func (t *prove) finish(x *session, _ *sa, in inbound, out *Out) {
	if c, ok := msg.Notified(in.payloads, msg.Cookie2); !ok || !bytes.Equal(c.Data, t.cookie) {
		return
	}
	x.path, x.nat = t.path, t.nat
	x.event(Event{Kind: EventMoved, NAT: x.nat}, out)
}
