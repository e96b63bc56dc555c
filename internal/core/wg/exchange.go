package wg

import (
	"bytes"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// This file is the handshake in the order of its messages:
//
//	initiator                                          responder
//	initiate ------------- initiation (148 bytes) ---> admit, receiveInitiation, respond
//	receiveResponse <------- response (92 bytes) ----- session is next: it opens
//	session is current ---- first transport packet --> Attend, confirm: session is current, it seals
//
// and, where the responder is under load, between them:
//
//	receiveCookie <------- cookie reply (64 bytes) --- admit
//	initiate, RekeyTimeout later, with MAC2 ---------> admit
//
// What is lost is sent again, the same bytes, once: see repeat and answer.

// Handshake takes a message of any kind but KindTransport and says what became of it. It keeps no part of packet.
func (m *Machine) Handshake(now mono.Time, from Origin, packet []byte, out *Out) Drop {
	now = m.advance(now)
	switch KindOf(packet) {
	case KindInitiation:
		msg := initiation(packet)
		if drop := m.admit(now, from, packet, msg.sender(), out); drop != Taken {
			return drop
		}
		return m.receiveInitiation(now, from, msg, out)
	case KindResponse:
		msg := response(packet)
		if m.awaiting(msg) == nil {
			return DropUnknownIndex // nobody can make load with what we did not ask for
		}
		if drop := m.admit(now, from, packet, msg.sender(), out); drop != Taken {
			return drop
		}
		return m.receiveResponse(now, from, msg, out)
	case KindCookie:
		return m.receiveCookie(now, cookieReply(packet))
	}
	return DropMalformed
}

// admit checks the MACs of a handshake message, before anything expensive is done for it (§5.3).
func (m *Machine) admit(now mono.Time, from Origin, msg []byte, sender uint32, out *Out) Drop {
	if !m.guard.addressed(msg) {
		return DropUnaddressed
	}
	if !m.load.arrive(now) {
		return Taken
	}
	if !m.guard.reachable(now, msg, from.Addr) {
		reply := out.room(cookieSize)
		m.guard.challenge(now, m.rnd, reply, msg, sender, from.Addr)
		out.transmit(key.WGPublic{}, from.Source, reply)
		return DropChallenged
	}
	if !m.load.fair(now, m.guard.bucket(from.Addr.Addr())) {
		return DropPaced
	}
	return Taken
}

// initiate sends a new initiation, in place of an older one if that was never answered.
func (m *Machine) initiate(p *peer, now mono.Time, out *Out) {
	if p.attempt == nil {
		p.began = now
	}
	m.forgetAttempt(p)
	msg := initiation(out.room(initiationSize))
	if !m.writeInitiation(p, now, msg) {
		m.endAttempt(p)
		out.event(EventGaveUp, p)
		return
	}
	p.jar.stamp(now, msg, p.public)
	p.jitter = m.drawJitter()
	p.retryAt, p.wantAt = now.Add(RekeyTimeout+p.jitter), mono.Never
	p.attempt.repeatAt = mono.Never
	if p.began == now {
		p.attempt.sent, p.attempt.repeatAt = [initiationSize]byte(msg), now.Add(repeatAfter)
	}
	m.sentHandshake(p, now)
	out.transmit(p.public, 0, msg)
}

// repeat sends the first initiation of an attempt once more if nothing has answered it. To the peer it is what a network may do to any datagram, so the paper's limit of one
// initiation in RekeyTimeout holds for what can make work, and a datagram that is lost costs half a second instead of five.
func (m *Machine) repeat(p *peer, now mono.Time, out *Out) {
	if p.attempt == nil || !due(p.attempt.repeatAt, now) {
		return
	}
	p.attempt.repeatAt = mono.Never
	msg := out.room(initiationSize)
	copy(msg, p.attempt.sent[:])
	out.transmit(p.public, 0, msg)
}

// writeInitiation fails only if the peer's public key is a point of small order, which nobody could ever answer for.
func (m *Machine) writeInitiation(p *peer, now mono.Time, msg initiation) (ok bool) {
	shared, ok := p.secret(&m.id)
	if !ok {
		return false
	}
	index := m.index(p)
	at := TimestampAt(m.epoch.Add(time.Duration(now)))
	p.attempt, ok = m.id.initiate(msg, p.public, shared, index, at, m.rnd)
	if !ok {
		delete(m.indices, index)
	}
	return ok
}

// receiveInitiation finds out who asks, makes sure that it is no recording, and responds.
func (m *Machine) receiveInitiation(now mono.Time, from Origin, msg initiation, out *Out) Drop {
	v, ok := m.id.greet(msg)
	if !ok {
		return DropForged
	}
	p, drop := m.identify(v.static, now)
	if drop != Taken {
		return drop
	}
	shared, ok := p.secret(&m.id)
	if !ok {
		return DropForged
	}
	at, ok := v.prove(msg, shared)
	switch {
	case !ok:
		return DropForged
	case at == p.latest && p.answers(&v) && p.visits.allow(now, initiationEvery, 1):
		again := out.room(responseSize)
		copy(again, p.answer.sent[:])
		out.transmit(p.public, from.Source, again)
		return Taken
	case !at.After(p.latest):
		return DropReplayed
	case !p.visits.allow(now, initiationEvery, 1):
		return DropPaced
	}
	p.latest = at
	if m.crossed(p, now) {
		return DropCrossed
	}
	if m.peers[p.public] == nil {
		m.peers[p.public] = p
		out.event(EventPeerAdded, p)
	}
	if p.lacks() {
		p.warm()
		m.hear(p, from.Source, out)
		out.event(EventMismatch, p)
		m.look(p, now, out)
		return DropUnshared
	}
	return m.respond(p, now, from, &v, out)
}

// identify finds the peer with a static key, or makes one that is not a peer of ours before it has proved itself.
func (m *Machine) identify(public key.WGPublic, now mono.Time) (*peer, Drop) {
	if p := m.peers[public]; p != nil {
		return p, Taken
	}
	if m.lookup == nil {
		return nil, DropUnknownPeer
	}
	cfg, ok := m.lookup(public)
	if !ok || cfg.Public != public {
		return nil, DropUnknownPeer
	}
	if len(m.peers) >= m.maxPeers {
		return nil, DropTooManyPeers
	}
	if m.check(cfg) != nil {
		return nil, DropUnknownPeer
	}
	return newPeer(cfg, now), Taken
}

// respond answers an initiation that proved authentic and new.
func (m *Machine) respond(p *peer, now mono.Time, from Origin, v *visit, out *Out) Drop {
	index := m.index(p)
	msg := response(out.room(responseSize))
	send, receive, ok := v.answer(msg, index, p.psk, m.rnd)
	if !ok {
		delete(m.indices, index)
		return DropForged
	}
	p.jar.stamp(now, msg, p.public)
	p.warm().receive(now, false)
	m.sentHandshake(p, now)
	m.hear(p, from.Source, out)

	s := p.newSession(now, &send, &receive, index, v.index, false)
	for _, old := range p.keys.offer(s) {
		m.retire(old, out)
	}
	p.answer = &answer{session: s, asked: [keySize]byte(v.ephemeral), sent: [responseSize]byte(msg)}
	out.session(EventInstalled, s)
	out.transmit(p.public, from.Source, msg)
	m.look(p, now, out)
	return Taken
}

// answer is a response of ours of which nobody has shown yet that it arrived. Who repeats the initiation gets it again, and nothing else changes: the
// message proves nothing that is new, not even where its sender is.
type answer struct {
	session *Session
	asked   [keySize]byte // the initiation's ephemeral key
	sent    [responseSize]byte
}

// answers reports whether v is an initiation that was answered, with a session that lives.
func (p *peer) answers(v *visit) bool {
	return p.answer != nil && p.answer.asked == [keySize]byte(v.ephemeral) && p.keys.holds(p.answer.session)
}

// receiveResponse completes an attempt of ours. The keepalive tells the peer at once that it worked, so that it may send too.
func (m *Machine) receiveResponse(now mono.Time, from Origin, msg response, out *Out) Drop {
	p := m.awaiting(msg)
	send, receive, ok := p.attempt.finish(&m.id, msg, p.secrets()...)
	if !ok {
		p.attempt.repeatAt = mono.Never // it has arrived
		if p.guarded {
			out.event(EventMismatch, p)
		}
		return DropForged
	}
	p.traffic.receive(now, false)
	m.hear(p, from.Source, out)

	s := p.newSession(now, &send, &receive, p.attempt.index, msg.sender(), true)
	p.attempt = nil // its index is the session's now
	m.endAttempt(p)
	p.complete = now
	for _, old := range p.keys.adopt(s) {
		m.retire(old, out)
	}
	out.session(EventInstalled, s)
	out.session(EventCurrent, s)
	m.speak(p, now, out)
	m.look(p, now, out)
	return Taken
}

// awaiting is the peer whose answer msg may be, nil if there is none.
func (m *Machine) awaiting(msg response) *peer {
	p := m.indices[msg.receiver()]
	if p == nil || p.attempt == nil || p.attempt.index != msg.receiver() {
		return nil
	}
	return p
}

// crossed reports whether the peer's initiation shall stay unanswered because ours is on its way. Of two that began at once, the
// one with the smaller public key insists and the other answers, so that they settle on one session and one of them renews it.
// Only at first: an initiation of ours may be lost, or refused for ever by a peer that has seen a later clock of ours.
func (m *Machine) crossed(p *peer, now mono.Time) bool {
	return p.attempt != nil && now.Sub(p.began) < crossing && bytes.Compare(m.id.public[:], p.public[:]) < 0
}

// confirm makes the next session current: the peer has used it, so our response arrived.
func (m *Machine) confirm(p *peer, now mono.Time, out *Out) {
	s := p.keys.next
	s.confirmed.Store(true)
	p.answer = nil
	m.endAttempt(p)
	p.complete = now
	m.retire(p.keys.promote(), out)
	out.session(EventCurrent, s)
}

// receiveCookie keeps a cookie for the next handshake message. Nothing is sent at once: that would help whoever floods (§6.6).
func (m *Machine) receiveCookie(now mono.Time, msg cookieReply) Drop {
	p := m.indices[msg.receiver()]
	if p == nil {
		return DropUnknownIndex
	}
	if !p.jar.keep(now, msg, p.public) {
		return DropForged
	}
	if p.attempt != nil {
		p.attempt.repeatAt = mono.Never // it would be as unwelcome as the first
	}
	return Taken
}

// hear makes an event of an authentic message from another place than the last.
func (m *Machine) hear(p *peer, from Source, out *Out) {
	if p.traffic.announced.Get() != from {
		out.Events = append(out.Events, Event{Kind: EventHeard, Peer: p.public, Source: from})
	}
	p.traffic.heard.Set(from)
	p.traffic.announced.Set(from)
}

func (m *Machine) sentHandshake(p *peer, now mono.Time) {
	p.handshake = now
	p.warm().send(now, false)
}

// forgetAttempt makes a response to the attempt, should it still come, meaningless.
func (m *Machine) forgetAttempt(p *peer) {
	if p.attempt != nil {
		delete(m.indices, p.attempt.index)
		p.attempt = nil
	}
}

// endAttempt ends the attempt and the wish for one.
func (m *Machine) endAttempt(p *peer) {
	m.forgetAttempt(p)
	p.retryAt, p.giveUpAt, p.wantAt = mono.Never, mono.Never, mono.Never
	if p.traffic != nil {
		p.traffic.rekeying.Store(false)
	}
}

func (p *peer) newSession(now mono.Time, send, receive *[keySize]byte, local, remote uint32, initiator bool) *Session {
	s := &Session{
		seal: cipher(send), open: cipher(receive),
		local: local, remote: remote,
		initiator: initiator, peer: p.public, born: now, activity: p.warm(),
	}
	s.confirmed.Store(initiator)
	return s
}
