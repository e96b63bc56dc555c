package ike

import (
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// IKE_INTERMEDIATE (RFC 9242) carries additional key exchanges (RFC 9370), one a round trip: each makes all keys anew, after its answer.

func (s *sa) sendIntermediate(out *Out) error {
	o := s.opening
	var err error
	if o.private, err = s.m.offerKey(o.additional[0]); err != nil {
		return err
	}
	ke := msg.KE{Method: o.additional[0], Data: o.private.Public()}
	datagrams, err := s.cover(&o.intI, s.keys.PeerI, s.header(msg.IKEIntermediate, s.next, 0), ke)
	if err != nil {
		return err
	}
	s.post(&request{id: s.next, exchange: msg.IKEIntermediate, datagrams: datagrams}, out)
	return nil
}

// cover adds a message of ours to what AUTH covers, and seals it.
func (s *sa) cover(sum *[]byte, peer []byte, h msg.Header, ke msg.KE) (datagrams [][]byte, err error) {
	first, plain, err := s.m.write([]msg.Payload{ke})
	if err != nil {
		return nil, err
	}
	s.opening.took = true
	if *sum, err = s.prf.Intermediate(peer, *sum, h, first, plain); err != nil {
		return nil, err
	}
	return s.sealPlain(h, first, plain)
}

func (s *sa) intermediateResponse(in inbound, out *Out) {
	o := s.opening
	if n, ok := msg.Refusal(in.payloads); ok {
		s.m.hangUp(s, Event{Reason: RefusedByPeer, Notify: n.Kind}, out)
		return
	}
	err := s.finishIntermediate(in)
	if err != nil {
		s.m.hangUp(s, Event{Reason: Unusable, Detail: err.Error()}, out)
		return
	}
	o.additional = o.additional[1:]
	s.advanceOpening(out)
}

func (s *sa) finishIntermediate(in inbound) (err error) {
	o := s.opening
	ke, ok := msg.First[msg.KE](in.payloads)
	if !ok || ke.Method != o.additional[0] {
		return errAnswer
	}
	if o.intR, err = s.prf.Intermediate(s.keys.PeerR, o.intR, in.head, in.first, in.plain); err != nil {
		return err
	}
	shared, err := o.private.Finish(ke.Data)
	if err != nil {
		return err
	}
	o.private = nil
	return s.secure(s.prf.NextSeed(s.keys.Derive, o.nonce, shared), o.nonce)
}

// intermediateRequest answers with the keys of before, and only then has new ones.
func (s *sa) intermediateRequest(in inbound, out *Out) {
	o := s.opening
	ke, ok := msg.First[msg.KE](in.payloads)
	if !ok || len(o.additional) == 0 || ke.Method != o.additional[0] {
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.InvalidSyntax}}, out)
		s.reject(Event{Reason: Unusable, Detail: "an intermediate exchange that was not agreed on"}, out)
		return
	}
	public, seed, err := s.answerIntermediate(in, ke)
	if err != nil {
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.InvalidSyntax}}, out)
		s.reject(Event{Reason: Unusable, Detail: err.Error()}, out)
		return
	}
	ke.Data = public
	datagrams, err := s.cover(&o.intR, s.keys.PeerR, s.header(msg.IKEIntermediate, in.head.ID, msg.Response), ke)
	if err == nil {
		s.answer(in, datagrams, out)
		err = s.secure(seed, o.nonce)
	}
	if err != nil {
		s.reject(Event{Reason: OwnFault, Detail: err.Error()}, out)
		return
	}
	o.additional = o.additional[1:]
}

func (s *sa) answerIntermediate(in inbound, ke msg.KE) (public, seed []byte, err error) {
	o := s.opening
	public, shared, err := s.m.answerKey(ke.Method, ke.Data)
	if err != nil {
		return nil, nil, err
	}
	if o.intI, err = s.prf.Intermediate(s.keys.PeerI, o.intI, in.head, in.first, in.plain); err != nil {
		return nil, nil, err
	}
	return public, s.prf.NextSeed(s.keys.Derive, o.nonce, shared), nil
}
