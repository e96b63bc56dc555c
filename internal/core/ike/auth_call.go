package ike

import (
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// The initiator's side of IKE_AUTH, §1.2.

// transcript is what one side's AUTH covers.
func (s *sa) transcript(initiator bool, id msg.Identity, authID uint32) crypt.Transcript {
	o := s.opening
	t := crypt.Transcript{Init: o.initI, Nonce: o.nonce.Responder, ID: id, Peer: s.keys.PeerI}
	if !initiator {
		t.Init, t.Nonce, t.Peer = o.initR, o.nonce.Initiator, s.keys.PeerR
	}
	if o.took {
		t.Intermediate = crypt.IntAuth(o.intI, o.intR, authID)
	}
	return t
}

func (s *sa) sendAuth(out *Out) error {
	o := s.opening
	p := &o.peer
	profile := s.m.profileOf(p)
	if p.Child == nil && !o.childless {
		return errChildless
	}
	auth, err := p.Credential.Prove(s.prf, profile.Signatures, o.hashes, s.transcript(true, p.Local, s.next))
	if err != nil {
		return err
	}
	ps := append([]msg.Payload{msg.IDi(p.Local)}, certs(p.Certificates)...)
	if len(p.Authorities) > 0 {
		ps = append(ps, wish(p.Authorities))
	}
	if p.Remote.Kind != 0 {
		ps = append(ps, msg.IDr(p.Remote))
	}
	ps = append(ps, auth)
	if len(p.Ask) > 0 {
		ps = append(ps, Inside{Addrs: p.Ask}.request())
	}
	if s.m.first(p) {
		ps = append(ps, msg.Notify{Kind: msg.InitialContact})
	}
	if p.Child != nil {
		o.child = &createChild{wish: *p.Child}
		more, err := o.child.propose(s.m, profile.First())
		if err != nil {
			return err
		}
		ps = append(ps, more...)
	}
	if !p.Follows {
		ps = append(ps, msg.Notify{Kind: msg.MOBIKESupported})
		ps = append(ps, s.m.further(o.path.Local.Addr())...)
	}
	return s.ask(msg.IKEAuth, ps, nil, out)
}

func certs(all []msg.Cert) (ps []msg.Payload) {
	for _, c := range all {
		ps = append(ps, c)
	}
	return ps
}

// maxCerts is how many certificates of a peer are looked at: a chain, and some.
const maxCerts = 8

func certsOf(ps []msg.Payload) (all []msg.Cert) {
	for c := range msg.All[msg.Cert](ps) {
		if len(all) == maxCerts {
			break
		}
		if c.Encoding == msg.CertHashURL || c.Encoding == msg.CertBundleURL { // nothing is fetched because a stranger says so
			continue
		}
		all = append(all, c)
	}
	return all
}

// authResponse takes the responder's proof, and the first Child SA.
func (s *sa) authResponse(in inbound, out *Out) {
	o := s.opening
	id, ok1 := msg.First[msg.IDr](in.payloads)
	auth, ok2 := msg.First[msg.Auth](in.payloads)
	if !ok1 || !ok2 {
		if n, ok := msg.Refusal(in.payloads); ok {
			s.m.hangUp(s, Event{Reason: RefusedByPeer, Notify: n.Kind}, out)
			return
		}
		s.m.hangUp(s, Event{Reason: Unusable, Detail: "the answer has no identity or no proof"}, out)
		return
	}
	proof, err := s.believe(msg.Identity(id), auth, in)
	if err != nil {
		s.disown(out)
		s.m.hangUp(s, Event{Reason: NotProved, Detail: err.Error()}, out)
		return
	}
	x := s.m.establish(s, proof, o.id)
	x.learn(in.payloads)
	x.replaceOthers(in.payloads, o.began, out)
	if cp, ok := msg.First[msg.CP](in.payloads); ok && cp.Kind == msg.ConfigReply {
		x.inside = granted(cp, x.peer.Ask)
	}
	x.up(out)
	if o.child != nil {
		o.child.take(x, s, in, o.nonce, out)
	}
	x.succeed(o.replaces)
	x.unique(out)
	x.proceed(out)
}

// is reports whether an identity may be the peer's.
func (p *Peer) is(id msg.Identity) bool {
	return p.Remote.Kind == 0 || p.Remote.Equal(id)
}

// believe verifies the responder's proof.
func (s *sa) believe(id msg.Identity, auth msg.Auth, in inbound) (crypt.Proof, error) {
	o := s.opening
	if !o.peer.is(id) {
		return crypt.Proof{}, errStranger
	}
	evidence, err := s.m.cfg.Directory.Evidence(o.peer, id, certsOf(in.payloads))
	if err != nil {
		return crypt.Proof{}, err
	}
	return evidence.Verify(s.prf, s.m.profileOf(&o.peer).Signatures, auth, s.transcript(false, id, in.head.ID))
}

// disown tells a responder that we do not believe it (§2.21.2), with a Delete for those who overlook that. Nobody waits for the answer.
func (s *sa) disown(out *Out) {
	datagrams, err := s.seal(s.header(msg.Informational, s.next, 0), []msg.Payload{msg.Notify{Kind: msg.AuthenticationFailed}, msg.Delete{Protocol: msg.ProtocolIKE}})
	if err == nil {
		out.transmit(s.opening.path, datagrams...)
	}
}
