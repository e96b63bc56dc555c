package quantum

import (
	"crypto/mlkem"
	"crypto/subtle"
	"encoding/binary"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// This file is an exchange in the order of its messages:
//
//	initiator                                     responder
//	need, begin ------------ offer ---------->    receiveOffer
//	receiveReply, take <---- answer ----------
//	                  ------ confirm -------->    receiveConfirm
//	receiveReply <---------- done or lost ----

// need begins an exchange, now or as soon as it may. One that the peer has answered comes to its end first.
func (m *Machine) need(p *pair, now mono.Time, out *Out) {
	if x := p.mine; x != nil {
		if x.answered && x.repeat.IsNever() {
			x.tries, x.retry = 0, 0
			m.confirm(p, now, false, out)
		}
		return
	}
	at := now
	if !p.began.IsNever() {
		at = max(at, p.began.Add(beginEvery))
	}
	if p.pending() && !m.insists(p) {
		at = max(at, p.theirs.at.Add(yield))
	}
	if m.running >= maxRunning {
		at = max(at, now.Add(beginEvery))
	}
	if p.beginAt = at; at <= now {
		m.begin(p, now, out)
	}
}

// begin makes an exchange and sends its offer.
func (m *Machine) begin(p *pair, now mono.Time, out *Out) {
	var number [8]byte
	m.fill(number[:])
	seed := make([]byte, mlkem.SeedSize)
	m.fill(seed)
	secret, err := mlkem.NewDecapsulationKey768(seed)
	if err != nil {
		panic("quantum: ML-KEM refuses a seed of 64 bytes: " + err.Error())
	}
	p.mine = &exchange{id: binary.BigEndian.Uint64(number[:]), secret: secret, offer: secret.EncapsulationKey().Bytes()}
	p.began, p.beginAt = now, mono.Never
	m.running++
	p.mine.mark(now)
	out.send(p.public, p.mine.id, stepOffer, p.mine.offer, false)
}

// mark counts a message of ours that waits for a reply.
func (x *exchange) mark(now mono.Time) {
	x.sent, x.retry = now, min(max(2*x.retry, firstRetry), maxRetry)
	x.repeat = now.Add(x.retry)
}

// receiveOffer answers the peer's exchange.
func (m *Machine) receiveOffer(p *pair, now mono.Time, id uint64, offer []byte, out *Out) {
	switch x := p.mine; {
	case x == nil:
	case x.answered: // one after the other: with two under way there would be three keys
		m.confirm(p, now, true, out)
		return
	case m.insists(p): // ours may have come before the peer had started
		if now.Sub(x.sent) >= firstRetry && len(offer) >= len(x.offer) {
			x.mark(now)
			out.send(p.public, x.id, stepOffer, x.offer, true)
		}
		return
	}
	if t := p.theirs; t != nil && t.id == id && (t.message != nil || t.confirmed) {
		if t.message != nil {
			t.at = now
			out.send(p.public, id, stepAnswer, t.message, true)
		}
		return
	}
	theirs, err := mlkem.NewEncapsulationKey768(offer)
	if err != nil || !p.allow(now) {
		return
	}
	secret, ciphertext := theirs.Encapsulate()
	t := &answer{id: id, at: now, agreed: derive(secret, p.public, m.public, id, offer, ciphertext)}
	t.message = append(ciphertext, t.answer[:]...)
	p.theirs = t
	out.send(p.public, id, stepAnswer, t.message, true)
}

// receiveReply takes a reply to our exchange.
func (m *Machine) receiveReply(p *pair, now mono.Time, msg *disco.Message, out *Out) {
	x := p.mine
	switch {
	case msg.Step == stepAnswer && !x.answered:
		if reply := p.replies.Add(now, msg); reply != nil {
			m.take(p, now, reply, out)
		}
	case msg.Step == stepDone && x.answered && equal(msg.Data, x.done[:]):
		m.end(p)
	case msg.Step == stepLost && x.answered:
		m.lose(p, now, out)
	}
}

// take finds the key in the answer to our offer, and confirms it. An answer that proves nothing ends the exchange: its sender is the
// peer, which has restarted between two halves of it, or knows no better.
func (m *Machine) take(p *pair, now mono.Time, reply []byte, out *Out) {
	x := p.mine
	if len(reply) != mlkem.CiphertextSize768+proofSize || p.pending() && !m.insists(p) && now.Sub(p.theirs.at) < yield {
		return
	}
	ciphertext, proof := reply[:mlkem.CiphertextSize768], reply[mlkem.CiphertextSize768:]
	secret, err := x.secret.Decapsulate(ciphertext)
	if err != nil {
		return
	}
	a := derive(secret, m.public, p.public, x.id, x.offer, ciphertext)
	if !equal(proof, a.answer[:]) {
		m.end(p)
		m.need(p, now, out)
		return
	}
	x.answered, x.agreed, x.before = true, a, p.holding
	x.secret, x.offer, x.retry = nil, nil, 0
	m.running--
	switch {
	case !p.pending():
	case m.insists(p):
		p.theirs.late = true
	default:
		p.theirs = nil // a peer that answers ours runs none that counts more: this was an old recording
	}
	p.adopt(x.key, now)
	m.confirm(p, now, true, out)
}

// confirm tells the peer that we have the key.
func (m *Machine) confirm(p *pair, now mono.Time, reply bool, out *Out) {
	x := p.mine
	if x.mark(now); !reply {
		x.tries++
	}
	out.send(p.public, x.id, stepConfirm, x.agreed.confirm[:], reply)
}

// receiveConfirm ends the peer's exchange on our side, or says that we do not know it.
func (m *Machine) receiveConfirm(p *pair, now mono.Time, msg *disco.Message, out *Out) {
	if msg.Of != 1 || len(msg.Data) != proofSize {
		return
	}
	t := p.theirs
	if t == nil || t.id != msg.ID || !equal(msg.Data, t.confirm[:]) {
		out.send(p.public, msg.ID, stepLost, []byte{0}, true)
		return
	}
	out.send(p.public, t.id, stepDone, t.done[:], true)
	if t.confirmed {
		return
	}
	t.confirmed, t.message = true, nil
	if t.late {
		p.previous = t.key
		return
	}
	p.adopt(t.key, now)
	if !m.insists(p) {
		m.end(p)
	}
}

// lose takes back the key of our exchange: the peer has lost it. Another exchange begins.
func (m *Machine) lose(p *pair, now mono.Time, out *Out) {
	p.holding = p.mine.before
	m.end(p)
	if t := p.theirs; t != nil && t.late {
		if t.late = false; t.confirmed {
			p.adopt(t.key, now)
		}
	}
	p.wantUntil = max(p.wantUntil, now.Add(Patience))
	m.need(p, now, out)
}

// end forgets our exchange, if one runs.
func (m *Machine) end(p *pair) {
	if p.mine == nil {
		return
	}
	if !p.mine.answered {
		m.running--
	}
	p.mine, p.replies = nil, disco.Assembly{}
}

// look does whatever has become due for a peer.
func (m *Machine) look(p *pair, now mono.Time, out *Out) {
	p.questions.Expire(now)
	p.replies.Expire(now)
	if t := p.theirs; t != nil && t.message != nil && now.Sub(t.at) >= answerLife {
		t.message = nil
	}
	if due(p.beginAt, now) {
		if p.beginAt = mono.Never; p.wantUntil > now {
			m.need(p, now, out)
		}
	}
	if p.mine != nil && due(p.mine.repeat, now) {
		m.repeat(p, now, out)
	}
}

// repeat sends our last message again, rests until there is a reason for more, or gives up.
func (m *Machine) repeat(p *pair, now mono.Time, out *Out) {
	x := p.mine
	switch {
	case x.answered && x.tries < confirmTries:
		m.confirm(p, now, false, out)
	case x.answered:
		x.repeat = mono.Never
	case !x.answered && p.wantUntil > now:
		x.mark(now)
		out.send(p.public, x.id, stepOffer, x.offer, false)
	default:
		m.end(p)
		if !p.shared {
			out.Events = append(out.Events, Event{Kind: EventGaveUp, Peer: p.public})
		}
	}
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// due reports whether a deadline that may be Never has come.
func due(at, now mono.Time) bool { return !at.IsNever() && at <= now }
