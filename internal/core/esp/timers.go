package esp

import (
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// look does whatever has become due for a peer, and sets its next deadline. Every input that can change what is due ends in it.
func (m *Machine) look(p *peer, now mono.Time, out *Out) {
	m.end(p, now, out)
	m.collect(p, now, out)
	m.renew(p, now, out)
	m.suspect(p, now, out)
	m.keepAlive(p, now, out)
	m.schedule.Set(p, m.deadline(p, now))
	p.looked = now
}

// end retires the pairs that are at their end.
func (m *Machine) end(p *peer, now mono.Time, out *Out) {
	p.pairs = slices.DeleteFunc(p.pairs, func(h holding) bool {
		switch {
		case h.expired(now) || h.exhausted() && h.retireAt.IsNever():
			out.pair(EventExpired, h.Pair)
		case !due(h.retireAt, now):
			return false
		}
		m.retire(h.Pair, out)
		if p.current == h.Pair {
			p.current = nil
		}
		return true
	})
	m.fallBack(p, now, out)
}

// fallBack has the newest of the other pairs take over where there is nothing to seal with. One that the peer may not have yet gets a little
// more time.
func (m *Machine) fallBack(p *peer, now mono.Time, out *Out) {
	if p.current != nil {
		return
	}
	switch next := p.newest(); {
	case next == nil:
	case next.switchAt.IsNever():
		m.promote(p, next.Pair, out)
	default:
		next.switchAt = min(next.switchAt, now.Add(haste))
	}
}

// exhausted reports whether the pair's hard lifetime has ended by what it has carried.
func (p *Pair) exhausted() bool {
	return max(p.last(), p.top.Load()) >= p.life.Hard.Packets || p.counted && max(p.sent.Load(), p.taken.Load()) >= p.life.Hard.Bytes
}

// collect reads what workers have left in the pairs.
func (m *Machine) collect(p *peer, now mono.Time, out *Out) {
	for i := range p.pairs {
		h := &p.pairs[i]
		if h.stale.Load() {
			h.noted.Store(true)
		}
		if !h.switchAt.IsNever() && (h.proven.Load() || due(h.switchAt, now)) {
			if h.accept(); h.retireAt.IsNever() && (p.current == nil || p.later(h.Pair, p.current)) {
				m.promote(p, h.Pair, out)
			}
		}
	}
	if from := p.activity.heard.Get(); from != p.activity.announced.Get() {
		p.activity.announced.Set(from)
		out.Events = append(out.Events, Event{Kind: EventHeard, Peer: p.name, Source: from})
	}
}

// renew asks for a successor of the current pair. Any other pair has one, or is one.
func (m *Machine) renew(p *peer, now mono.Time, out *Out) {
	if p.current == nil {
		return
	}
	if h := p.holds(p.current); due(p.renewal(h), now) {
		h.sayAt = now.Add(dueAgain)
		out.pair(EventDue, h.Pair)
	}
}

// renewal is when EventDue is to be said of the current pair; Never: its successor only waits to be heard used.
func (p *peer) renewal(h *holding) mono.Time {
	switch {
	case p.waits():
		return mono.Never
	case h.stale.Load():
		return max(h.sayAt, h.born)
	}
	return max(h.sayAt, h.Pair.due)
}

// suspect tells that packets were sent and nothing at all came back: the peer may have restarted, or lost its pairs.
func (m *Machine) suspect(p *peer, now mono.Time, out *Out) {
	since := p.activity.unanswered.Get()
	if since.IsNever() || now.Sub(since) < silence {
		return
	}
	p.activity.unanswered.Set(mono.Never)
	out.Events = append(out.Events, Event{Kind: EventSilent, Peer: p.name})
}

// keepAlive sends a dummy to a peer that has been sent nothing for long.
func (m *Machine) keepAlive(p *peer, now mono.Time, out *Out) {
	if p.keepalive > 0 && p.current != nil && due(p.persistent(), now) {
		p.since = now
		m.prove(p, now, out)
	}
}

// persistent is when the keepalive is due, if it is on.
func (p *peer) persistent() mono.Time { return max(p.since, p.activity.sent.Get()).Add(p.keepalive) }

// prove sends a dummy: it shows a peer that we have the pair, and NATs that somebody is there.
func (m *Machine) prove(p *peer, now mono.Time, out *Out) {
	s := p.current
	seq, ok := s.Reserve(now, 1)
	if !ok {
		return
	}
	out.Transmits = append(out.Transmits, Transmit{Peer: p.name, Data: s.Seal(out.room(Overhead), seq, nil)})
	p.activity.sent.Set(now)
}

// promote has packets sealed with a pair from now on.
func (m *Machine) promote(p *peer, pair *Pair, out *Out) {
	p.current = pair
	p.holds(pair).accept()
	out.pair(EventCurrent, pair)
}

// deadline is the earliest instant at which look would do something.
func (m *Machine) deadline(p *peer, now mono.Time) (at mono.Time) {
	for i := range p.pairs {
		h := &p.pairs[i]
		at = mono.Earlier(at, mono.Earlier(h.switchAt, h.retireAt))
		at = mono.Earlier(at, h.dies)
		if h.Pair == p.current {
			at = mono.Earlier(at, p.renewal(h))
		}
	}
	if p.keepalive > 0 && p.current != nil {
		at = mono.Earlier(at, p.persistent())
	}
	return mono.Earlier(at, m.arm(p, now))
}

// arm is the part of deadline that depends on what workers do. See activity for why it is done in this order.
func (m *Machine) arm(p *peer, now mono.Time) mono.Time {
	a := p.activity
	a.armed.Store(false)
	unanswered := a.unanswered.Get()
	if unanswered.IsNever() && a.touched() <= p.looked || len(p.pairs) == 0 {
		return mono.Never
	}
	a.armed.Store(true)
	at := now.Add(silence)
	if !unanswered.IsNever() {
		at = min(at, unanswered.Add(silence))
	}
	return max(at, now+1)
}

// due reports whether a deadline that may be Never has come.
func due(at, now mono.Time) bool { return !at.IsNever() && at <= now }
