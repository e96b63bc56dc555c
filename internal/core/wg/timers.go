package wg

import (
	"encoding/binary"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// look does whatever has become due for a peer, and sets its next deadline. Every input that can change what is due ends in it.
func (m *Machine) look(p *peer, now mono.Time, out *Out) {
	for _, s := range p.keys.expire(now) {
		m.retire(s, out)
	}
	if p.answer != nil && !p.keys.holds(p.answer.session) {
		p.answer = nil
	}
	m.collect(p, now, out)
	m.retry(p, now, out)
	m.repeat(p, now, out)
	m.acknowledge(p, now, out)
	m.suspect(p, now, out)
	m.keepAlive(p, now, out)
	m.schedule.Set(p, m.deadline(p, now))
	p.looked = now
}

// collect reads what workers have left in the sessions.
func (m *Machine) collect(p *peer, now mono.Time, out *Out) {
	if s := p.keys.next; s != nil && s.proven.Load() {
		m.confirm(p, now, out)
	}
	if p.traffic != nil {
		m.hear(p, p.traffic.heard.Get(), out)
	}
	if s := p.keys.current; s != nil && s.stale.Swap(false) {
		m.want(p, now, out)
	}
}

// want begins a handshake on behalf of somebody who wishes to send, or gives the one under way more time (§6.4).
func (m *Machine) want(p *peer, now mono.Time, out *Out) {
	p.giveUpAt = now.Add(RekeyAttemptTime)
	p.warm().rekeying.Store(true)
	if p.lacks() {
		p.wished = true
		out.event(EventMismatch, p)
		return
	}
	if p.attempt != nil {
		return
	}
	if early := p.handshake.Add(RekeyTimeout); !p.handshake.IsNever() && now.Before(early) {
		p.wantAt = early
		return
	}
	m.initiate(p, now, out)
}

// retry repeats an attempt that was not answered, begins one that was wished for too early, or gives up.
func (m *Machine) retry(p *peer, now mono.Time, out *Out) {
	switch {
	case due(p.retryAt, now) && (due(p.giveUpAt, now) || p.lacks()):
		p.wished = false
		m.endAttempt(p)
		out.event(EventGaveUp, p)
	case due(p.retryAt, now), due(p.wantAt, now):
		m.initiate(p, now, out)
	}
}

// acknowledge sends the passive keepalive: data came and nothing went back, so the peer cannot know that we live (§6.5).
func (m *Machine) acknowledge(p *peer, now mono.Time, out *Out) {
	if p.traffic == nil {
		return
	}
	since := p.traffic.unacked.Get()
	if since.IsNever() || now.Sub(since) < KeepaliveTimeout {
		return
	}
	again := p.traffic.lastData.Get() > since
	if !m.usable(p, now) {
		p.traffic.unacked.Set(mono.Never) // there is nothing to send it with, and a handshake would be no acknowledgement
		return
	}
	m.speak(p, now, out)
	if again {
		p.traffic.unacked.Set(now) // should this one get lost, the next will not
	}
}

// suspect begins a handshake because data was sent and nothing at all came back: the peer may have restarted (§6.5).
func (m *Machine) suspect(p *peer, now mono.Time, out *Out) {
	if p.traffic == nil {
		return
	}
	since := p.traffic.unanswered.Get()
	if since.IsNever() || now.Sub(since) < silence+p.jitter {
		return
	}
	p.traffic.unanswered.Set(mono.Never)
	out.event(EventSilent, p)
	m.want(p, now, out)
}

// keepAlive sends the persistent keepalive.
func (m *Machine) keepAlive(p *peer, now mono.Time, out *Out) {
	if p.keepalive > 0 && due(p.persistent(), now) {
		p.since = now
		m.speak(p, now, out)
	}
}

// persistent is when the persistent keepalive is due, if it is on.
func (p *peer) persistent() mono.Time {
	last := p.since
	if p.traffic != nil {
		last = max(last, p.traffic.touched())
	}
	return last.Add(p.keepalive)
}

// speak sends an empty packet, or if there is nothing to seal it with, begins a handshake, whose completion sends one.
func (m *Machine) speak(p *peer, now mono.Time, out *Out) {
	s := p.keys.current
	if s == nil {
		m.want(p, now, out)
		return
	}
	counter, ok := s.Reserve(now, 1)
	if !ok {
		m.want(p, now, out)
		return
	}
	out.transmit(p.public, 0, s.Seal(out.room(KeepaliveSize)[:0], counter, nil, 0))
	s.Sent(now, false)
	if s.stale.Swap(false) {
		m.want(p, now, out)
	}
}

// deadline is the earliest instant at which look would do something.
func (m *Machine) deadline(p *peer, now mono.Time) mono.Time {
	at := mono.Earlier(p.retryAt, p.wantAt)
	if p.attempt != nil {
		at = mono.Earlier(at, p.attempt.repeatAt)
	}
	for _, s := range p.keys.all() {
		if s != nil {
			at = mono.Earlier(at, s.born.Add(RejectAfterTime))
		}
	}
	if p.keepalive > 0 {
		at = mono.Earlier(at, p.persistent())
	}
	if p.traffic != nil {
		at = mono.Earlier(at, m.arm(p, now))
	}
	return at
}

// arm is the part of deadline that depends on what workers do. See activity for why it is done in this order.
func (m *Machine) arm(p *peer, now mono.Time) mono.Time {
	a := p.traffic
	a.armed.Store(false)
	unacked, unanswered := a.unacked.Get(), a.unanswered.Get()
	if unacked.IsNever() && unanswered.IsNever() && a.touched() <= p.looked {
		return mono.Never
	}
	a.armed.Store(true)
	at := now.Add(KeepaliveTimeout)
	if !unacked.IsNever() {
		at = min(at, unacked.Add(KeepaliveTimeout))
	}
	if !unanswered.IsNever() {
		at = min(at, unanswered.Add(silence+p.jitter))
	}
	return max(at, now+1)
}

func (m *Machine) usable(p *peer, now mono.Time) bool {
	return p.keys.current != nil && p.keys.current.Usable(now)
}

func (m *Machine) drawJitter() time.Duration {
	var b [8]byte
	fill(m.rnd, b[:])
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(maxJitter))
}

// due reports whether a deadline that may be Never has come.
func due(at, now mono.Time) bool { return !at.IsNever() && at <= now }
