package ike

import (
	"errors"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// The responder's side of IKE_AUTH.

var (
	errStranger  = errors.New("the peer is not who was to be met, or nobody that we know")
	errChildless = errors.New("the peer knows no IKE SA without a Child SA")
	errSkipped   = errors.New("the peer left out a key exchange that was agreed on")
	errWeak      = errors.New("the algorithms that were agreed on are not those that this peer may use")
	errRoom      = errors.New("there are as many sessions as are allowed")
)

// authRequest takes a stranger's proof. Whatever is wrong with it, the answer is the same.
func (s *sa) authRequest(in inbound, out *Out) {
	peer, proof, err := s.recognize(in)
	if err != nil {
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.AuthenticationFailed}}, out)
		s.reject(Event{Reason: NotProved, Detail: err.Error()}, out)
		return
	}
	o := s.opening
	o.peer = peer
	ps, err := s.introduce(in)
	if err != nil {
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.AuthenticationFailed}}, out)
		s.reject(Event{Reason: OwnFault, Peer: peer.Name, Detail: err.Error()}, out)
		return
	}
	x := s.m.establish(s, proof, s.m.newID())
	x.path = in.path
	x.learn(in.payloads)
	x.replaceOthers(in.payloads, o.began, out)
	x.makeRoom(out)
	settings, no := x.lend(in)
	x.up(out)
	ps = append(ps, settings...)
	ps = append(ps, x.firstChild(s, in, o.nonce, no, out)...)
	if !x.proofEnds.IsNever() {
		ps = append(ps, x.authLifetime())
	}
	if x.mobile {
		ps = append(ps, msg.Notify{Kind: msg.MOBIKESupported})
		ps = append(ps, s.m.further(x.path.Local.Addr())...)
	}
	s.reply(in, ps, out)
	x.unique(out)
	x.proceed(out)
}

// recognize verifies who the initiator is.
func (s *sa) recognize(in inbound) (Peer, crypt.Proof, error) {
	o, m := s.opening, s.m
	id, ok1 := msg.First[msg.IDi](in.payloads)
	auth, ok2 := msg.First[msg.Auth](in.payloads)
	if !ok1 || !ok2 {
		return Peer{}, crypt.Proof{}, errAnswer
	}
	if len(o.additional) > 0 {
		return Peer{}, crypt.Proof{}, errSkipped
	}
	if len(m.sessions) >= m.cfg.MaxSessions {
		return Peer{}, crypt.Proof{}, errRoom
	}
	wanted, _ := msg.First[msg.IDr](in.payloads)
	peer, known := m.cfg.Directory.Peer(msg.Identity(id), msg.Identity(wanted))
	if !known || !peer.is(msg.Identity(id)) {
		return Peer{}, crypt.Proof{}, errStranger
	}
	if err := peer.check(); err != nil {
		return Peer{}, crypt.Proof{}, err
	}
	if !s.allowed(&peer) {
		return Peer{}, crypt.Proof{}, errWeak
	}
	evidence, err := m.cfg.Directory.Evidence(peer, msg.Identity(id), certsOf(in.payloads))
	if err != nil {
		return Peer{}, crypt.Proof{}, err
	}
	proof, err := evidence.Verify(s.prf, m.profileOf(&peer).Signatures, auth, s.transcript(true, msg.Identity(id), in.head.ID))
	return peer, proof, err
}

// introduce is our own identity and its proof.
func (s *sa) introduce(in inbound) ([]msg.Payload, error) {
	o := s.opening
	auth, err := o.peer.Credential.Prove(s.prf, s.m.profileOf(&o.peer).Signatures, o.hashes, s.transcript(false, o.peer.Local, in.head.ID))
	if err != nil {
		return nil, err
	}
	ps := append([]msg.Payload{msg.IDr(o.peer.Local)}, certs(o.peer.Certificates)...)
	return append(ps, auth), nil
}

// firstChild answers what the initiator wants of a Child SA in IKE_AUTH; nothing, if it wants none. no is why it cannot have one.
func (x *session) firstChild(s *sa, in inbound, n crypt.Nonces, no msg.Notify, out *Out) []msg.Payload {
	if _, wants := msg.First[msg.SA](in.payloads); !wants {
		return nil
	}
	if no.Kind != 0 {
		return []msg.Payload{no}
	}
	ps, no := x.answerChild(s, in, n, x.profile().First(), 0, always, out)
	if no.Kind != 0 {
		return []msg.Payload{no}
	}
	return ps
}
