package ike

import (
	"bytes"
	"net/netip"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// The initiator's side of IKE_SA_INIT, §1.2.

func (m *Machine) call(p Peer, path Path, out *Out) (*sa, error) {
	profile := m.profileOf(&p)
	o := &opening{peer: p, path: path, began: m.now, nonce: crypt.Nonces{Initiator: m.nonce()}, guess: guess{offer: crypt.Propose(profile.IKE, nil)}}
	o.method = profile.IKE[0].Of(msg.KeyExchange)[0].ID
	s := m.newSA(true)
	s.opening = o
	if err := o.start(m); err != nil {
		s.drop()
		return nil, err
	}
	o.id = m.newID()
	m.calls[o.id] = s
	if err := s.sendInit(out); err != nil {
		delete(m.calls, o.id)
		s.drop()
		return nil, err
	}
	return s, nil
}

func (s *sa) sendInit(out *Out) error {
	o := s.opening
	var ps []msg.Payload
	if o.cookie != nil {
		ps = append(ps, msg.Notify{Kind: msg.Cookie, Data: o.cookie})
	}
	ps = append(ps, o.offer, o.payload(), msg.Nonce(o.nonce.Initiator))
	ps = append(ps, natPayloads(s.local, 0, o.path)...)
	raw, err := msg.Message{Header: s.header(msg.IKESAInit, 0, 0), Payloads: o.shares(ps, s.m.profileOf(&o.peer).Signatures)}.Append(nil)
	if err != nil {
		return err
	}
	o.initI, s.next = raw, 0
	s.post(&request{exchange: msg.IKESAInit, datagrams: [][]byte{raw}}, out)
	return nil
}

// initResponse takes the answer. Nothing vouches for it: whoever can read our request can forge it, and spoil this attempt thereby.
func (s *sa) initResponse(in msg.Message, raw []byte, path Path, out *Out) {
	if s.opening.follows(in.Payloads) {
		return
	}
	if again, e := s.followInit(in, raw, path); e != nil {
		s.m.hangUp(s, *e, out)
		return
	} else if again {
		if err := s.sendInit(out); err != nil {
			s.m.hangUp(s, Event{Reason: OwnFault, Detail: err.Error()}, out)
		}
		return
	}
	s.pending = nil
	s.advanceOpening(out)
}

// follows reports whether an answer is a late copy of one that we have followed: what it wants is under way.
func (o *opening) follows(ps []msg.Payload) bool {
	if c, ok := msg.Notified(ps, msg.Cookie); ok {
		return len(c.Data) > 0 && bytes.Equal(c.Data, o.cookie)
	}
	n, ok := msg.Notified(ps, msg.InvalidKE)
	id, named := n.Uint16()
	return ok && named && len(o.tried) > 1 && msg.TransformID(id) == o.method
}

// followInit says whether the request is to be sent once more, changed, or why the attempt is over.
func (s *sa) followInit(in msg.Message, raw []byte, path Path) (again bool, over *Event) {
	o := s.opening
	if c, ok := msg.Notified(in.Payloads, msg.Cookie); ok {
		if len(c.Data) == 0 || len(c.Data) > 64 || o.cookies == maxCookies {
			return false, &Event{Reason: Unusable, Detail: "cookies without end"}
		}
		o.cookie = bytes.Clone(c.Data)
		o.cookies++
		return true, nil
	}
	if n, ok := msg.Notified(in.Payloads, msg.InvalidKE); ok {
		return s.otherMethod(n)
	}
	if n, ok := msg.Refusal(in.Payloads); ok {
		return false, &Event{Reason: RefusedByPeer, Notify: n.Kind}
	}
	if in.SPIr == 0 {
		return false, &Event{Reason: Unusable, Detail: "the responder has no SPI"}
	}
	s.remote = in.SPIr
	if err := s.acceptInit(in.Payloads); err != nil {
		return false, &Event{Reason: Unusable, Detail: err.Error()}
	}
	o.initR, o.nat = raw, natOf(in.Payloads, s.local, s.remote, path)
	o.path = o.path.float()
	return false, nil
}

// Ports of IKE: without the marker before messages, and with it.
const (
	portPlain  = 500
	portMarked = 4500
)

// float is the path after IKE_SA_INIT: who began on port 500 goes on at 4500, where ESP is in UDP (§2.23). A responder answers wherever
// requests come from.
func (p Path) float() Path {
	up := func(a netip.AddrPort) netip.AddrPort {
		if a.Port() == portPlain {
			return netip.AddrPortFrom(a.Addr(), portMarked)
		}
		return a
	}
	return Path{up(p.Local), up(p.Remote)}
}

// otherMethod follows INVALID_KE_PAYLOAD, to a method that was offered and not tried yet.
func (s *sa) otherMethod(no msg.Notify) (again bool, over *Event) {
	o := s.opening
	next, ok := o.next(no)
	if !ok {
		return false, &Event{Reason: RefusedByPeer, Notify: msg.InvalidKE}
	}
	o.guess = next
	if err := o.start(s.m); err != nil {
		return false, &Event{Reason: OwnFault, Detail: err.Error()}
	}
	return true, nil
}

// acceptInit checks the answer and makes the keys.
func (s *sa) acceptInit(ps []msg.Payload) error {
	o := s.opening
	answer, ok1 := msg.First[msg.SA](ps)
	ke, ok2 := msg.First[msg.KE](ps)
	nonce, ok3 := msg.First[msg.Nonce](ps)
	choice, ok4 := crypt.Answered(o.offer, answer)
	if !ok1 || !ok2 || !ok3 || !ok4 || ke.Method != o.method || choice.KeyExchange != o.method {
		return errAnswer
	}
	if _, knows := msg.Notified(ps, msg.IntermediateSupported); !knows && len(choice.Additional) > 0 {
		return errAnswer
	}
	if err := s.adopt(choice); err != nil {
		return err
	}
	if len(nonce) < s.prf.Size()/2 {
		return errAnswer
	}
	o.nonce.Responder = bytes.Clone(nonce)
	shared, err := o.private.Finish(ke.Data)
	if err != nil {
		return err
	}
	o.private, o.additional = nil, choice.Additional
	s.learn(ps)
	return s.secure(s.prf.FirstSeed(o.nonce, shared), o.nonce)
}

// learn takes from IKE_SA_INIT what the peer can do.
func (s *sa) learn(ps []msg.Payload) {
	_, s.splits = msg.Notified(ps, msg.FragmentationSupported)
	_, s.opening.childless = msg.Notified(ps, msg.ChildlessSupported)
	if n, ok := msg.Notified(ps, msg.SignatureHashes); ok {
		s.opening.hashes = crypt.ParseHashes(n.Data)
	}
}

// advanceOpening sends what comes after IKE_SA_INIT: the next additional key exchange, or the proof.
func (s *sa) advanceOpening(out *Out) {
	var err error
	if len(s.opening.additional) > 0 {
		err = s.sendIntermediate(out)
	} else {
		err = s.sendAuth(out)
	}
	if err != nil {
		s.m.hangUp(s, Event{Reason: OwnFault, Detail: err.Error()}, out)
	}
}
