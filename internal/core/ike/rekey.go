package ike

import (
	"encoding/binary"
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// rekeyIKE replaces the IKE SA that it is sent with (§1.3.2, §2.18). Child SAs belong to the session and stay.
type rekeyIKE struct {
	guess
	nonce []byte
	fresh *sa // ours, half made
	rival *rivalSA
}

// rivalSA is the replacement that the peer made while ours was under way.
type rivalSA struct {
	sa     *sa
	lowest []byte
}

func (t *rekeyIKE) String() string { return "rekey" }

func (t *rekeyIKE) begin(x *session, out *Out) (msg.Exchange, []msg.Payload, bool) {
	ours := x.profile().IKE
	if t.method == msg.KENone {
		t.method = x.sa.choice.KeyExchange
	}
	if err := t.start(x.m); err != nil {
		x.event(Event{Kind: EventFault, Reason: OwnFault, Detail: err.Error()}, out)
		return 0, nil, false
	}
	t.fresh = x.m.newSA(true)
	t.nonce = x.m.nonce()
	t.offer = crypt.Propose(ours, binary.BigEndian.AppendUint64(nil, uint64(t.fresh.local)))
	ps := []msg.Payload{t.offer, msg.Nonce(t.nonce), t.payload()}
	return msg.CreateChildSA, ps, true
}

func (t *rekeyIKE) finish(x *session, s *sa, in inbound, out *Out) {
	if no, refused := msg.Refusal(in.payloads); refused {
		t.refused(x, s, no, out)
		return
	}
	n, ok := t.nonces(in)
	choice, shared, fine := t.accept(in)
	made := func(agreed [][]byte, out *Out) { t.made(x, s, choice, n, agreed, out) }
	switch {
	case !ok || !fine:
		t.useless(x, s, out)
	case len(choice.Additional) == 0:
		made([][]byte{shared}, out)
	case !x.follow(t, in, choice, shared, made):
		t.useless(x, s, out)
	}
}

// useless is for an answer that makes no sense.
func (t *rekeyIKE) useless(x *session, s *sa, out *Out) {
	t.fresh.drop()
	if t.rival != nil {
		x.serve(t.rival.sa, out)
		s.close(nil, out)
	}
}

// made makes the IKE SA, after the last key exchange, and says which one serves from now on.
func (t *rekeyIKE) made(x *session, s *sa, choice crypt.Choice, n crypt.Nonces, agreed [][]byte, out *Out) {
	if t.fresh.inherit(s, choice, n, agreed) != nil {
		t.useless(x, s, out)
		return
	}
	x.join(t.fresh)
	if x.sa == nil { // the session is over
		t.fresh.close(nil, out)
		return
	}
	if t.rival != nil && lower(lowest(n), t.rival.lowest) { // ours has the lowest nonce: it goes, and the peer deletes the old one
		x.serve(t.rival.sa, out)
		s.stage, s.ends = stageReplaced, x.m.now.Add(replacedFor)
		t.fresh.close(nil, out)
		return
	}
	if t.rival != nil {
		t.rival.sa.stage, t.rival.sa.ends = stageReplaced, x.m.now.Add(replacedFor)
	}
	x.serve(t.fresh, out)
	s.close(nil, out)
}

// refused follows a refusal.
func (t *rekeyIKE) refused(x *session, s *sa, no msg.Notify, out *Out) {
	t.fresh.drop()
	if t.rival != nil {
		x.serve(t.rival.sa, out)
		s.stage, s.ends = stageReplaced, x.m.now.Add(replacedFor)
		return
	}
	next, again := t.next(no)
	switch {
	case no.Kind == msg.TemporaryFailure:
		x.postpone(&rekeyIKE{})
	case no.Kind == msg.InvalidKE && again:
		x.queue = slices.Insert(x.queue, 0, task(&rekeyIKE{guess: next}))
	}
}

func (t *rekeyIKE) nonces(in inbound) (crypt.Nonces, bool) {
	nonce, ok := msg.First[msg.Nonce](in.payloads)
	return crypt.Nonces{Initiator: t.nonce, Responder: clone(nonce)}, ok
}

// accept checks the answer.
func (t *rekeyIKE) accept(in inbound) (choice crypt.Choice, shared []byte, ok bool) {
	answer, ok1 := msg.First[msg.SA](in.payloads)
	ke, ok2 := msg.First[msg.KE](in.payloads)
	choice, ok3 := crypt.Answered(t.offer, answer)
	if !ok1 || !ok2 || !ok3 || len(choice.SPI) != 8 || ke.Method != t.method || choice.KeyExchange != t.method {
		return choice, nil, false
	}
	shared, err := t.private.Finish(ke.Data)
	t.fresh.remote = msg.SPI(binary.BigEndian.Uint64(choice.SPI))
	return choice, shared, err == nil && t.fresh.remote != 0
}

// inherit makes the keys of an SA that replaces another, by the old one's function (§2.18).
func (s *sa) inherit(old *sa, choice crypt.Choice, n crypt.Nonces, agreed [][]byte) error {
	if err := s.adopt(choice); err != nil {
		return err
	}
	s.splits = old.splits
	return s.secure(old.prf.NextSeed(old.keys.Derive, n, agreed[0], agreed[1:]...), n)
}

// join makes an SA part of the session.
func (x *session) join(s *sa) {
	s.session, s.stage = x, stageOpen
	x.sas = append(x.sas, s)
}

// serve lets an SA carry our requests from now on. What the one before could not finish is asked again.
func (x *session) serve(s *sa, out *Out) {
	if p := x.sa.pending; p != nil {
		switch p.task.(type) {
		case *probe, *move, *prove, *tell, *outlive:
			x.queue = slices.Insert(x.queue, 0, p.task)
			x.sa.pending = nil
		}
	}
	x.giveUp()
	x.sa, s.stage, s.ends = s, stageOpen, mono.Never
	x.rekeyAt = x.m.now.Add(x.m.lifetime())
	x.queue = slices.DeleteFunc(x.queue, func(t task) bool { _, again := t.(*rekeyIKE); return again })
	x.later = slices.DeleteFunc(x.later, func(t task) bool { _, again := t.(*rekeyIKE); return again })
	x.event(Event{Kind: EventRekeyed, Cipher: s.cipher()}, out)
}

// answerRekeyIKE makes an SA that replaces the one that the request came with.
func (x *session) answerRekeyIKE(s *sa, in inbound, out *Out) {
	r := x.replacing()
	if x.busy() || r != nil && r.rival != nil {
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.TemporaryFailure}}, out)
		return
	}
	w, no := x.wantedIKE(in)
	if no.Kind != 0 {
		s.reply(in, []msg.Payload{no}, out)
		return
	}
	made := func(agreed [][]byte, out *Out) msg.Notify { return x.makeIKE(s, w, agreed, out) }
	spi := binary.BigEndian.AppendUint64(nil, uint64(w.fresh.local))
	ps := []msg.Payload{
		msg.SA{w.choice.Proposal(msg.ProtocolIKE, spi)}, msg.Nonce(w.n.Responder), msg.KE{Method: w.choice.KeyExchange, Data: w.public},
	}
	if len(w.choice.Additional) > 0 {
		ps = append(ps, x.await(&halfway{left: w.choice.Additional, agreed: [][]byte{w.shared}, fresh: w.fresh, made: made}))
	} else if no := made([][]byte{w.shared}, out); no.Kind != 0 {
		w.fresh.drop()
		ps = []msg.Payload{no}
	}
	s.reply(in, ps, out)
}

// makeIKE makes the SA that the peer has asked for.
func (x *session) makeIKE(s *sa, w wantedIKE, agreed [][]byte, out *Out) msg.Notify {
	r := x.replacing()
	if x.busy() || r != nil && r.rival != nil {
		return msg.Notify{Kind: msg.TemporaryFailure}
	}
	if w.fresh.inherit(s, w.choice, w.n, agreed) != nil {
		return msg.Notify{Kind: msg.NoProposalChosen}
	}
	x.join(w.fresh)
	if r != nil {
		r.rival = &rivalSA{w.fresh, lowest(w.n)}
		return msg.Notify{}
	}
	x.serve(w.fresh, out)
	s.stage, s.ends = stageReplaced, x.m.now.Add(replacedFor)
	return msg.Notify{}
}

// wantedIKE is an SA that the peer has asked for, and our half of it.
type wantedIKE struct {
	fresh          *sa
	choice         crypt.Choice
	n              crypt.Nonces
	public, shared []byte
}

func (x *session) wantedIKE(in inbound) (w wantedIKE, no msg.Notify) {
	offer, _ := msg.First[msg.SA](in.payloads)
	nonce, _ := msg.First[msg.Nonce](in.payloads)
	ke, ok := msg.First[msg.KE](in.payloads)
	if !ok {
		return w, msg.Notify{Kind: msg.InvalidSyntax}
	}
	if w.choice, ok = crypt.Choose(x.profile().IKE, offer, ke.Method); !ok || len(w.choice.SPI) != 8 {
		return w, msg.Notify{Kind: msg.NoProposalChosen}
	}
	if w.choice.KeyExchange != ke.Method {
		return w, msg.Notify{Kind: msg.InvalidKE, Data: number16(w.choice.KeyExchange)}
	}
	remote := msg.SPI(binary.BigEndian.Uint64(w.choice.SPI))
	var err error
	if w.public, w.shared, err = x.m.answerKey(ke.Method, ke.Data); err != nil || remote == 0 {
		return w, msg.Notify{Kind: msg.InvalidSyntax}
	}
	w.n = crypt.Nonces{Initiator: clone(nonce), Responder: x.m.nonce()}
	w.fresh = x.m.newSA(false)
	w.fresh.remote = remote
	return w, msg.Notify{}
}
