package ike

import (
	"encoding/binary"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Proofs do not hold for ever (RFC 4478): a certificate ends, or the owner wants to see it again. The initiator makes another session
// before the old one goes, with everything proved anew; a peer that does not is cut off.

const (
	leastProof  = 10 * time.Second // of a lifetime that the peer announces: it cannot have us prove ourselves without end
	reauthRetry = 30 * time.Second // after which an attempt that came to nothing is repeated
	reauthGrace = time.Minute      // that a peer has to prove itself when it is asked to
	hintEvery   = time.Minute      // that a hint which anybody may have sent is followed at most
)

// Reauthenticate proves both sides anew, by a session that takes the place of this one. If the peer began, it is asked to, and cut off
// when it does not within a minute.
func (m *Machine) Reauthenticate(now mono.Time, id ID, out *Out) error {
	m.advance(now)
	x := m.sessions[id]
	switch {
	case x == nil:
		return ErrUnknown
	case x.began:
		x.reauthenticate(out)
		m.lookAll(x)
		return nil
	}
	x.proofEnds = mono.Earlier(x.proofEnds, m.now.Add(reauthGrace))
	return m.want(now, id, &demand{}, out)
}

// holds is until when a proof holds that was given now.
func (m *Machine) holds(p crypt.Proof) mono.Time {
	at := p.Until()
	if d := m.cfg.Reauthenticate; d > 0 {
		at = mono.Earlier(at, m.now.Add(d))
	}
	return at
}

// authLifetime tells the peer how long its proof holds.
func (x *session) authLifetime() msg.Notify {
	left := max(1, x.proofEnds.Sub(x.m.now)/time.Second)
	return msg.Notify{Kind: msg.AuthLifetime, Data: binary.BigEndian.AppendUint32(nil, uint32(min(left, 1<<32-1)))}
}

// obey takes the peer's word for how long ours holds. Only who began can do something about it.
func (x *session) obey(ps []msg.Payload) {
	if n, ok := msg.Notified(ps, msg.AuthLifetime); ok && len(n.Data) == 4 && x.began {
		left := time.Duration(binary.BigEndian.Uint32(n.Data)) * time.Second
		x.reauthBy(x.m.now.Add(max(left, leastProof)))
	}
}

// reauthBy plans another proof for a time at which a fifth to three tenths of what is left still are.
func (x *session) reauthBy(at mono.Time) {
	left := at.Sub(x.m.now)
	early := left/5 + (x.m.jitter(left)-left)/2
	x.reauthAt = mono.Earlier(x.reauthAt, at.Add(-early))
}

// reauthenticate begins a session that is to take this one's place.
func (x *session) reauthenticate(out *Out) {
	m := x.m
	x.reauthAt = m.now.Add(m.jitter(reauthRetry))
	if m.calls[x.renewal] != nil {
		return
	}
	p := x.peer
	if x.began && len(x.inside.Addrs) > 0 {
		p.Ask = x.inside.Addrs
	}
	s, err := m.call(p, x.path, out)
	if err != nil {
		x.event(Event{Kind: EventFault, Reason: OwnFault, Detail: err.Error()}, out)
		return
	}
	s.opening.replaces = x.id
	x.renewal, x.reauthAt = s.opening.id, mono.Never
	m.look(s)
}

// notRenewed is called when an attempt to prove ourselves anew has come to nothing.
func (m *Machine) notRenewed(id ID) {
	if x := m.sessions[id]; x != nil {
		x.reauthAt = m.now.Add(m.jitter(reauthRetry))
		m.look(x.sa)
	}
}

// callOff ends an attempt to replace the session, because one side wants no session at all.
func (x *session) callOff(out *Out) {
	if s := x.m.calls[x.renewal]; s != nil {
		x.m.hangUp(s, Event{Reason: Asked}, out)
	}
}

// succeed takes an old session's place: Child SAs that it had besides the first are made again, and then it ends.
func (x *session) succeed(id ID) {
	old := x.m.sessions[id]
	if old == nil || old == x {
		return
	}
	first := true
	for _, c := range old.children {
		if c.ends {
			continue
		}
		if !first {
			x.wish(&createChild{wish: Child{Ours: c.ours, Theirs: c.theirs}})
		}
		first = false
	}
	x.replaces = id
	x.wish(&retire{old: id})
}

// retire ends the session that another has replaced; its turn comes after the wishes for what the old one had.
type retire struct{ old ID }

func (t *retire) begin(x *session, out *Out) (msg.Exchange, []msg.Payload, bool) {
	if old := x.m.sessions[t.old]; old != nil {
		old.terminate(Replaced, out)
		x.m.lookAll(old)
	}
	return 0, nil, false
}

func (t *retire) finish(*session, *sa, inbound, *Out) {}

// demand asks a peer that began to prove itself anew (RFC 4478 §3).
type demand struct{}

func (t *demand) String() string { return "prove yourself" }

func (t *demand) begin(x *session, _ *Out) (msg.Exchange, []msg.Payload, bool) {
	return msg.Informational, []msg.Payload{x.authLifetime()}, true
}

func (t *demand) finish(*session, *sa, inbound, *Out) {}

// forgotten follows a hint that the peer does not know our SA any more. Nobody vouches for it, so all that it brings about, once a minute at
// most, is a session beside the one that there is: if the peer proves itself in that, it takes the old one's place (§2.21.4).
func (x *session) forgotten(out *Out) {
	now := x.m.now
	if x.peer.Lent || !x.hintedAt.IsNever() && now.Sub(x.hintedAt) < hintEvery {
		return
	}
	x.hintedAt = now
	x.reauthenticate(out)
}

// hints bounds what is said to strangers about SAs that are not there: so many at once, and so many a second.
type hints struct {
	left int
	at   mono.Time
}

const (
	maxHints  = 16
	leastHint = msg.HeaderSize + 8 // bytes of a message that gets an answer: as long as the answer
)

func (h *hints) spend(now mono.Time) bool {
	if n := now.Sub(h.at) * maxHints / time.Second; h.at.IsNever() || n > maxHints {
		h.left, h.at = maxHints, now
	} else if n > 0 {
		h.left, h.at = min(maxHints, h.left+int(n)), now
	}
	if h.left == 0 {
		return false
	}
	h.left--
	return true
}

// unknown answers a request for an SA that is not there, so that its sender need not wait until it believes the silence (§1.5).
func (m *Machine) unknown(path Path, h msg.Header, size int, out *Out) {
	if h.Has(msg.Response) || size < leastHint || !m.hints.spend(m.now) {
		return
	}
	h.Flags = msg.Response | h.Flags&msg.FromInitiator ^ msg.FromInitiator
	raw, err := msg.Message{Header: h, Payloads: []msg.Payload{msg.Notify{Kind: msg.InvalidIKESPI}}}.Append(nil)
	if err == nil {
		out.transmit(path, raw)
	}
}
