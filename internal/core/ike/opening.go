package ike

import (
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// opening is what an IKE SA knows until the peer has proved who it is. Nothing in it is the peer's word for more than that exchange.
type opening struct {
	id    ID   // initiator
	peer  Peer // initiator; the responder learns it from IDi
	path  Path
	nat   NAT
	began mono.Time // when its first message left, or came
	nonce crypt.Nonces

	initI, initR []byte // the messages of IKE_SA_INIT
	intI, intR   []byte // what IntAuth covers so far
	took         bool   // part in an IKE_INTERMEDIATE

	hashes    []crypt.Hash // the peer's
	childless bool         // the peer knows IKE SAs without Child SAs

	// Initiator: what was offered, and the private half of it.
	guess
	cookie  []byte
	cookies int
	child   *createChild // whose answer comes with AUTH

	replaces ID // the session whose place it is to take; 0: none

	additional []msg.TransformID // key exchanges that are still to be done
}

// shares appends what both sides tell of what they can do.
func (o *opening) shares(ps []msg.Payload, policy crypt.Signatures) []msg.Payload {
	return append(ps,
		msg.Notify{Kind: msg.FragmentationSupported},
		msg.Notify{Kind: msg.SignatureHashes, Data: crypt.AppendHashes(nil, policy.Hashes)},
		msg.Notify{Kind: msg.IntermediateSupported},
	)
}

// profileOf is what may be used with a peer.
func (m *Machine) profileOf(p *Peer) crypt.Profile {
	if p.Profile != nil {
		return *p.Profile
	}
	return m.cfg.Profile
}

// allowed reports whether what was agreed on with a stranger may be used with the peer that it turns out to be.
func (s *sa) allowed(p *Peer) bool {
	if p.Profile == nil {
		return true
	}
	offer := msg.SA{s.choice.Proposal(msg.ProtocolIKE, nil)}
	_, ok := crypt.Choose(p.Profile.IKE, offer, s.choice.KeyExchange)
	return ok
}

// hangUp ends an attempt of ours. A peer that has our proof may have made a session of it: if only we want it no more, the peer is told as
// soon as it has answered, because the window is one.
func (m *Machine) hangUp(s *sa, e Event, out *Out) {
	o, r := s.opening, s.pending
	if e.Reason == Asked && r != nil && r.exchange == msg.IKEAuth {
		r.path = &o.path
		s.stage, s.ends = stageClosing, m.now.Add(replacedFor)
		m.look(s)
	} else {
		s.drop()
	}
	if o == nil {
		return
	}
	s.opening = nil
	delete(m.calls, o.id)
	if o.child != nil && o.child.in != 0 {
		m.cfg.SPIs.Release(o.child.in)
	}
	e.Kind, e.ID, e.Peer, e.Path = EventDown, o.id, o.peer.Name, o.path
	out.Events = append(out.Events, e)
	m.notRenewed(o.replaces)
}

// unwanted takes the answers of a peer whose SA was hung up: to our proof, upon which it is told, and to that.
func (s *sa) unwanted(in inbound, out *Out) {
	r := s.pending
	s.pending = nil
	if _, taken := msg.First[msg.Auth](in.payloads); !taken {
		s.drop()
		return
	}
	s.close(r.path, out)
}

// reject ends what a stranger began. Its last answer can still be repeated.
func (s *sa) reject(e Event, out *Out) {
	e.Kind, e.Path = EventRefused, s.opening.path
	s.rest()
	out.Events = append(out.Events, e)
}
