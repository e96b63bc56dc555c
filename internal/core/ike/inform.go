package ike

import (
	"fmt"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// INFORMATIONAL, §1.4: deletes, signs of life, and what MOBIKE adds (RFC 4555).

// informRequest takes one of the peer's.
func (x *session) informRequest(s *sa, in inbound, out *Out) {
	if n, ok := msg.Refusal(in.payloads); ok && n.Kind == msg.AuthenticationFailed { // the initiator does not believe us (§2.21.2)
		s.reply(in, nil, out)
		x.down(Event{Reason: RefusedByPeer, Notify: n.Kind}, out)
		return
	}
	var ps []msg.Payload
	for d := range msg.All[msg.Delete](in.payloads) {
		switch d.Protocol {
		case msg.ProtocolIKE:
			s.reply(in, nil, out)
			x.closed(s, out)
			return
		case msg.ProtocolESP:
			if gone := x.deleted(d, out); len(gone.SPIs) > 0 {
				ps = append(ps, gone)
			}
		}
	}
	x.obey(in.payloads)
	x.learnReach(in.payloads)
	if c, ok := msg.Notified(in.payloads, msg.Cookie2); ok {
		ps = append(ps, c)
	}
	if _, ok := msg.Notified(in.payloads, msg.UpdateSAAddresses); ok && x.mobile && s == x.sa {
		ps = append(ps, x.answerMove(s, in, out)...)
	}
	s.reply(in, ps, out)
}

// deleted takes the peer's Delete of Child SAs, and says which of ours are gone with them. Those that we have asked to delete are left
// out: the peer's answer, or its own Delete, has said so already (§1.4.1).
func (x *session) deleted(d msg.Delete, out *Out) msg.Delete {
	gone := msg.Delete{Protocol: msg.ProtocolESP}
	for _, spi := range d.SPIs {
		c := x.byOut(spi)
		if c == nil {
			if t, ok := x.asked().(*createChild); ok && len(t.dead) < maxChildren {
				t.dead = append(t.dead, spi)
			}
			continue
		}
		if !x.deleting(c) {
			gone.SPIs = append(gone.SPIs, c.in)
		}
		if t, ok := x.asked().(*createChild); ok && t.old == c.in && t.rival != nil {
			c.replaced = true
		}
		x.lose(c, EventChildDown, out)
	}
	return gone
}

// deleting reports whether our Delete of c is unanswered.
func (x *session) deleting(c *child) bool {
	t, ok := x.asked().(*deleteChild)
	return ok && t.spi == c.in
}

// closed is called when the peer has deleted an IKE SA, and was answered.
func (x *session) closed(s *sa, out *Out) {
	if s != x.sa {
		s.rest()
		x.forgetRival(s)
		return
	}
	if r := x.replacing(); r != nil && r.rival != nil { // the peer's replacement won, and it did not hear of ours
		x.serve(r.rival.sa, out)
		s.rest()
		return
	}
	s.rest()
	x.callOff(out)
	x.down(Event{Reason: PeerAsked}, out)
}

// forgetRival is called when the peer has deleted its own replacement.
func (x *session) forgetRival(s *sa) {
	if r := x.replacing(); r != nil && r.rival != nil && r.rival.sa == s {
		r.rival = nil
	}
}

// deleteChild deletes a Child SA.
type deleteChild struct {
	spi    uint32 // that we receive on
	orphan bool   // the peer made it, and we did not
}

func (t *deleteChild) String() string { return fmt.Sprint("delete ", t.spi) }

func (t *deleteChild) begin(x *session, _ *Out) (msg.Exchange, []msg.Payload, bool) {
	c := x.byIn(t.spi)
	if c == nil && !t.orphan {
		return 0, nil, false
	}
	if c != nil {
		c.ends = true
	}
	return msg.Informational, []msg.Payload{msg.Delete{Protocol: msg.ProtocolESP, SPIs: []uint32{t.spi}}}, true
}

// finish does not look at the answer: if it does not name the peer's half, the peer has deleted that for a reason of its own.
func (t *deleteChild) finish(x *session, _ *sa, _ inbound, out *Out) {
	if c := x.byIn(t.spi); c != nil {
		x.lose(c, EventChildDown, out)
	}
}

// deleteIKE deletes the IKE SA that it is sent with.
type deleteIKE struct {
	path *Path // where it goes; nil: the session's
}

func (t *deleteIKE) begin(*session, *Out) (msg.Exchange, []msg.Payload, bool) {
	return msg.Informational, []msg.Payload{msg.Delete{Protocol: msg.ProtocolIKE}}, true
}

func (t *deleteIKE) finish(_ *session, s *sa, _ inbound, _ *Out) { s.drop() }

// close deletes an IKE SA that others have replaced, or that nobody wants. path is where the peer is; nil: where its session is.
func (s *sa) close(path *Path, out *Out) {
	s.stage, s.ends = stageClosing, s.m.now.Add(replacedFor)
	s.m.look(s)
	t := &deleteIKE{path: path}
	exchange, ps, _ := t.begin(s.session, out)
	if err := s.ask(exchange, ps, t, out); err != nil {
		s.drop()
	}
}

// terminate deletes the session's IKE SA, and everything with it at once: what the peer answers does not matter any more.
func (x *session) terminate(why Reason, out *Out) {
	s := x.sa
	for _, c := range append([]*child{}, x.children...) {
		x.lose(c, EventChildDown, out)
	}
	x.forget()
	x.event(Event{Kind: EventDown, Reason: why}, out)
	x.sa = nil
	for _, other := range append([]*sa{}, x.sas...) {
		switch {
		case other.pending != nil: // the window is one: the peer takes nothing before this
			bye := &goodbye{}
			switch t := other.pending.task.(type) {
			case *rekeyIKE:
				bye.rekey, t.rival = t, nil
			case *followup:
				if rekey, ok := t.of.(*rekeyIKE); ok {
					bye.rekey, rekey.rival = t, nil
				}
			}
			if bye.rekey == nil {
				x.m.abandon(other.pending.task)
			}
			other.pending.task, other.stage, other.ends = bye, stageClosing, x.m.now.Add(replacedFor)
		case other == s || other.stage == stageOpen:
			other.close(nil, out)
		default:
			other.drop()
		}
	}
}

// goodbye stands for a request that nobody cares about any more; the Delete follows its answer. If that answer makes another IKE SA, it
// is deleted too.
type goodbye struct{ rekey task }

func (t *goodbye) begin(*session, *Out) (msg.Exchange, []msg.Payload, bool) { return 0, nil, false }

func (t *goodbye) finish(x *session, s *sa, in inbound, out *Out) {
	if t.rekey != nil {
		t.rekey.finish(x, s, in, out)
		for _, late := range append(x.queue, x.later...) {
			x.m.abandon(late)
		}
		x.queue, x.later = nil, nil
	}
	s.close(nil, out)
}

// probe asks whether the peer lives (§2.4).
type probe struct{}

func (t *probe) String() string { return "probe" }

func (t *probe) begin(*session, *Out) (msg.Exchange, []msg.Payload, bool) {
	return msg.Informational, nil, true
}

func (t *probe) finish(*session, *sa, inbound, *Out) {}
