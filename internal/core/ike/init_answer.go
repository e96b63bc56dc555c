package ike

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// The responder's side of IKE_SA_INIT. Everything here is at a stranger's call: without a cookie a machine under load does no more
// than parse a message and compute a hash.

var errAnswer = errors.New("the answer lacks something, or takes what was not offered")

// initRequest takes a stranger's first message.
func (m *Machine) initRequest(path Path, h msg.Header, raw []byte, out *Out) {
	if h.SPIr != 0 || h.ID != 0 || !h.Has(msg.FromInitiator) {
		return
	}
	name, sum := half{h.SPIi, path.Remote}, sha256.Sum256(raw)
	if s := m.halves[name]; s != nil {
		if s.answered.request == sum {
			out.transmit(path, s.opening.initR)
		}
		return
	}
	in, err := msg.Parse(raw)
	if err != nil {
		var wrong *msg.Error
		if errors.As(err, &wrong) {
			m.refuseInit(path, h, complaint(wrong), out)
		}
		return
	}
	if !m.welcome(path, in, out) {
		out.Crowded = true
		return
	}
	s, no := m.answerInit(path, in, raw)
	if s == nil {
		if no.Kind != 0 {
			m.refuseInit(path, h, no, out)
		}
		return
	}
	s.answered.request, s.half = sum, name
	m.halves[name] = s
	m.sources[network(path.Remote.Addr())]++
	s.ends = m.now.Add(halfOpen)
	m.look(s)
	out.transmit(path, s.opening.initR)
}

// welcome reports whether there is room for one more, and for this one; if need be it asks for a cookie.
func (m *Machine) welcome(path Path, in msg.Message, out *Out) bool {
	if len(m.halves) >= m.cfg.MaxHalfOpen || len(m.sessions)+len(m.halves) >= m.cfg.MaxSessions+m.cfg.MaxHalfOpen {
		return false
	}
	if len(m.sas) >= 4*len(m.sessions)+len(m.calls)+2*m.cfg.MaxHalfOpen { // most of them only repeat that somebody was refused
		return false
	}
	here := m.sources[network(path.Remote.Addr())]
	if here >= maxSources {
		return false
	}
	if len(m.halves) < m.cfg.CookiesFrom && here < maxSources/8 {
		return true
	}
	nonce, ok := msg.First[msg.Nonce](in.Payloads)
	if !ok {
		return false
	}
	m.baker.turn(m.now, m.random)
	if c, ok := msg.Notified(in.Payloads, msg.Cookie); ok && m.baker.taste(c.Data, in.SPIi, nonce, path.Remote) {
		return true
	}
	m.refuseInit(path, in.Header, msg.Notify{Kind: msg.Cookie, Data: m.baker.bake(in.SPIi, nonce, path.Remote)}, out)
	return false
}

// refuseInit answers and remembers nothing.
func (m *Machine) refuseInit(path Path, h msg.Header, n msg.Notify, out *Out) {
	if raw := refusal(h, n); raw != nil {
		out.transmit(path, raw)
	}
}

func refusal(h msg.Header, n msg.Notify) []byte {
	h.Flags = msg.Response
	raw, err := msg.Message{Header: h, Payloads: []msg.Payload{n}}.Append(nil)
	if err != nil {
		return nil
	}
	return raw
}

// answerInit makes a half-open SA, or says how to refuse: the zero Notify is no answer at all. Who has cost us a key exchange counts as
// half-open even if its key was no good, else strangers with bad keys would never be asked for cookies.
func (m *Machine) answerInit(path Path, in msg.Message, raw []byte) (*sa, msg.Notify) {
	ps := in.Payloads
	offer, ok1 := msg.First[msg.SA](ps)
	ke, ok2 := msg.First[msg.KE](ps)
	nonce, ok3 := msg.First[msg.Nonce](ps)
	if !ok1 || !ok2 || !ok3 {
		return nil, msg.Notify{Kind: msg.InvalidSyntax}
	}
	ours := m.cfg.Profile.IKE
	if _, ok := msg.Notified(ps, msg.IntermediateSupported); !ok {
		ours = m.cfg.Profile.Plain()
	}
	choice, ok := crypt.Choose(ours, offer, ke.Method)
	if !ok {
		return nil, msg.Notify{Kind: msg.NoProposalChosen}
	}
	if choice.KeyExchange != ke.Method {
		return nil, msg.Notify{Kind: msg.InvalidKE, Data: number16(choice.KeyExchange)}
	}
	s := m.newSA(false)
	if err := s.agree(path, in, choice, ke, nonce, raw); err != nil {
		s.opening.initI, s.opening.initR = nil, refusal(in.Header, msg.Notify{Kind: msg.InvalidSyntax})
	}
	return s, msg.Notify{}
}

// agree answers the key exchange and makes the keys.
func (s *sa) agree(path Path, in msg.Message, choice crypt.Choice, ke msg.KE, nonce msg.Nonce, raw []byte) error {
	m := s.m
	o := &opening{path: path, began: m.now, initI: raw, additional: choice.Additional}
	s.opening, s.remote, s.expect = o, in.SPIi, 1
	if err := s.adopt(choice); err != nil {
		return err
	}
	if len(nonce) < s.prf.Size()/2 {
		return errAnswer
	}
	public, shared, err := m.answerKey(choice.KeyExchange, ke.Data)
	if err != nil {
		return err
	}
	o.nonce = crypt.Nonces{Initiator: bytes.Clone(nonce), Responder: m.nonce()}
	s.learn(in.Payloads)
	o.nat = natOf(in.Payloads, in.SPIi, 0, path)
	ps := []msg.Payload{msg.SA{choice.Proposal(msg.ProtocolIKE, nil)}, msg.KE{Method: ke.Method, Data: public}, msg.Nonce(o.nonce.Responder)}
	ps = o.shares(append(ps, natPayloads(s.remote, s.local, path)...), m.cfg.Profile.Signatures)
	ps = append(ps, msg.Notify{Kind: msg.ChildlessSupported})
	if len(m.cfg.Authorities) > 0 {
		ps = append(ps, wish(m.cfg.Authorities))
	}
	if o.initR, err = (msg.Message{Header: s.header(msg.IKESAInit, 0, msg.Response), Payloads: ps}).Append(nil); err != nil {
		return err
	}
	return s.secure(s.prf.FirstSeed(o.nonce, shared), o.nonce)
}

func number16(id msg.TransformID) []byte { return []byte{byte(id >> 8), byte(id)} }

// wish is a request for certificates of authorities.
func wish(all []msg.AuthorityHash) msg.CertReq {
	req := msg.CertReq{Encoding: msg.CertX509}
	for _, a := range all {
		req.Authorities = append(req.Authorities, a[:]...)
	}
	return req
}
