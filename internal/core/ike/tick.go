package ike

import (
	"github.com/cvlan/cvlan/internal/base/mono"
)

// Deadline is when Tick wants to be called; Never: not before the next input.
func (m *Machine) Deadline() mono.Time { return m.schedule.Deadline() }

// sasPerTick bounds one Tick; the rest stay due, and Deadline says so.
const sasPerTick = 64

// Tick does what is due.
func (m *Machine) Tick(now mono.Time, out *Out) {
	m.advance(now)
	for range sasPerTick {
		s, due := m.schedule.Due(m.now)
		if !due {
			return
		}
		m.guard(s, Path{}, out, func() { m.tick(s, out) })
	}
}

func (m *Machine) tick(s *sa, out *Out) {
	x := s.session
	switch {
	case !s.ends.IsNever() && s.ends <= m.now:
		m.ended(s, out)
	case s.pending != nil && s.pending.due <= m.now && !s.repeat(out):
		m.unanswered(s, out)
	case x != nil && x.sa == s:
		x.tick(out)
	}
	m.look(s)
	if x != nil {
		m.lookAll(x)
	}
}

// ended is called for an SA whose time is over.
func (m *Machine) ended(s *sa, out *Out) {
	o := s.opening
	s.drop()
	if o == nil {
		return
	}
	if s.initiator {
		m.hangUp(s, Event{Reason: NoAnswer}, out)
		return
	}
	out.Events = append(out.Events, Event{Kind: EventRefused, Path: o.path, Reason: HalfOpenTooOld})
}

// unanswered is called when a request was repeated for long enough.
func (m *Machine) unanswered(s *sa, out *Out) {
	x := s.session
	switch {
	case s.opening != nil:
		m.hangUp(s, Event{Reason: NoAnswer}, out)
	case x == nil || x.sa != s: // it is replaced, or competes; the session lives without it
		s.drop()
	case s.pending.path != nil:
		s.goBack(out)
	default:
		x.down(Event{Reason: NoAnswer}, out)
	}
}

// look puts an SA where it belongs in the schedule.
func (m *Machine) look(s *sa) {
	if m.sas[s.local] != s {
		m.schedule.Set(s, mono.Never)
		return
	}
	m.schedule.Set(s, s.deadline())
}

func (m *Machine) lookAll(x *session) {
	for _, s := range x.sas {
		m.look(s)
	}
}
