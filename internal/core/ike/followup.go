package ike

import (
	"bytes"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// IKE_FOLLOWUP_KE (RFC 9370 §2.2.4) carries the additional key exchanges of CREATE_CHILD_SA, one a round trip. The SA is made after the
// last; until then each side treats it as not there, and so do exchanges that cross it.

// followup asks for the next of them.
type followup struct {
	of      task // what the SA is for: createChild or rekeyIKE
	link    []byte
	left    []msg.TransformID
	private crypt.Offer
	agreed  [][]byte // secrets: the first is that of CREATE_CHILD_SA itself
	made    func(agreed [][]byte, out *Out)
}

// follow begins, given the answer to CREATE_CHILD_SA; false: it has nothing to refer to.
func (x *session) follow(of task, in inbound, choice crypt.Choice, shared []byte, made func([][]byte, *Out)) bool {
	link, ok := msg.Notified(in.payloads, msg.AdditionalKE)
	if !ok || len(link.Data) > maxLink {
		return false
	}
	x.queue = append([]task{&followup{of: of, link: bytes.Clone(link.Data), left: choice.Additional, agreed: [][]byte{shared}, made: made}}, x.queue...)
	return true
}

// maxLink bounds what the peer lets us repeat, in bytes.
const maxLink = 256

func (t *followup) begin(x *session, out *Out) (msg.Exchange, []msg.Payload, bool) {
	var err error
	if t.private, err = x.m.offerKey(t.left[0]); err != nil {
		t.refused(x, x.sa, msg.Notify{Kind: msg.NoProposalChosen}, out)
		return 0, nil, false
	}
	return msg.IKEFollowupKE, []msg.Payload{
		msg.KE{Method: t.left[0], Data: t.private.Public()}, msg.Notify{Kind: msg.AdditionalKE, Data: t.link},
	}, true
}

func (t *followup) finish(x *session, s *sa, in inbound, out *Out) {
	if no, refused := msg.Refusal(in.payloads); refused {
		if no.Kind == msg.StateNotFound {
			no.Kind = msg.TemporaryFailure
		}
		t.refused(x, s, no, out)
		return
	}
	if !t.take(in) {
		t.refused(x, s, msg.Notify{Kind: msg.InvalidSyntax}, out)
		return
	}
	if len(t.left) == 0 {
		t.made(t.agreed, out)
		return
	}
	link, ok := msg.Notified(in.payloads, msg.AdditionalKE)
	if !ok || len(link.Data) > maxLink {
		t.refused(x, s, msg.Notify{Kind: msg.InvalidSyntax}, out)
		return
	}
	t.link = bytes.Clone(link.Data)
	x.queue = append([]task{t}, x.queue...)
}

// take adds the secret that the answer makes.
func (t *followup) take(in inbound) bool {
	ke, ok := msg.First[msg.KE](in.payloads)
	if !ok || ke.Method != t.left[0] {
		return false
	}
	shared, err := t.private.Finish(ke.Data)
	if err != nil {
		return false
	}
	t.agreed, t.left = append(t.agreed, shared), t.left[1:]
	return true
}

func (t *followup) refused(x *session, s *sa, no msg.Notify, out *Out) {
	switch of := t.of.(type) {
	case *createChild:
		of.refused(x, no, out)
	case *rekeyIKE:
		of.refused(x, s, no, out)
	}
}

// halfway is an SA that the peer has asked for and whose additional key exchanges are not all done. There is one at most: with a
// window of one the next thing that the peer asks of this kind is the next exchange, or it has given up.
type halfway struct {
	link   []byte
	left   []msg.TransformID
	agreed [][]byte
	spi    uint32 // that a Child SA has reserved; 0: it is an IKE SA
	fresh  *sa
	made   func(agreed [][]byte, out *Out) msg.Notify
}

// await answers CREATE_CHILD_SA for an SA that is not made yet, and returns what goes with the answer.
func (x *session) await(h *halfway) msg.Payload {
	x.giveUp()
	h.link = x.m.nonce()
	x.half = h
	return msg.Notify{Kind: msg.AdditionalKE, Data: h.link}
}

// giveUp forgets an SA that is not made.
func (x *session) giveUp() {
	h := x.half
	x.half = nil
	switch {
	case h == nil:
	case h.spi != 0:
		x.m.cfg.SPIs.Release(h.spi)
	case h.fresh != nil:
		h.fresh.drop()
	}
}

// followRequest takes IKE_FOLLOWUP_KE.
func (x *session) followRequest(s *sa, in inbound, out *Out) {
	h := x.half
	link, ok1 := msg.Notified(in.payloads, msg.AdditionalKE)
	ke, ok2 := msg.First[msg.KE](in.payloads)
	no := msg.Notify{}
	var public []byte
	switch {
	case !ok1 || !ok2:
		no.Kind = msg.InvalidSyntax
	case h == nil || s != x.sa || s.stage != stageOpen || !bytes.Equal(link.Data, h.link):
		no.Kind = msg.StateNotFound
	case ke.Method != h.left[0]:
		no.Kind = msg.InvalidSyntax
	default:
		var shared []byte
		var err error
		if public, shared, err = x.m.answerKey(ke.Method, ke.Data); err != nil {
			no.Kind = msg.InvalidSyntax
			break
		}
		h.agreed, h.left = append(h.agreed, shared), h.left[1:]
	}
	if no.Kind != 0 {
		x.giveUp()
		s.reply(in, []msg.Payload{no}, out)
		return
	}
	ps := []msg.Payload{msg.KE{Method: ke.Method, Data: public}}
	if len(h.left) > 0 {
		s.reply(in, append(ps, x.next(h)), out)
		return
	}
	x.half = nil
	// A Child SA has to receive before the answer leaves; of an IKE SA nothing is sent before it, whichever is first.
	if no = h.made(h.agreed, out); no.Kind != 0 {
		x.half = h
		x.giveUp()
		ps = []msg.Payload{no}
	}
	s.reply(in, ps, out)
}

// next is a new reference, so that an old request does not fit the exchange after it.
func (x *session) next(h *halfway) msg.Payload {
	h.link = x.m.nonce()
	return msg.Notify{Kind: msg.AdditionalKE, Data: h.link}
}
