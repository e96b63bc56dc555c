package ike

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Datagram takes a message, without the non-ESP marker. What is wrong with it never reaches the caller: a message that does not prove
// authentic changes nothing.
func (m *Machine) Datagram(now mono.Time, path Path, data []byte, out *Out) {
	m.advance(now)
	h, err := msg.ParseHeader(data)
	if err != nil {
		return
	}
	if h.Exchange == msg.IKESAInit && !h.Has(msg.Response) {
		if len(data) > maxInit {
			return
		}
		m.guard(nil, path, out, func() { m.initRequest(path, h, bytes.Clone(data), out) })
		return
	}
	local, remote := h.SPIi, h.SPIr
	if h.Has(msg.FromInitiator) {
		local, remote = remote, local
	}
	s := m.sas[local]
	if s == nil && h.Exchange != msg.IKESAInit {
		m.unknown(path, h, len(data), out)
	}
	if s == nil || s.initiator == h.Has(msg.FromInitiator) || s.remote != remote && s.remote != 0 {
		return
	}
	x := s.session
	m.guard(s, path, out, func() {
		raw := bytes.Clone(data)
		if h.Has(msg.Response) {
			s.response(h, path, raw, out)
		} else {
			s.request(path, raw, out)
		}
	})
	m.look(s)
	if x == nil {
		x = s.session
	}
	if x != nil {
		m.lookAll(x)
	}
}

// guard keeps a bug of ours from ending the process: the SA that met it, by a message or by time, ends instead. It is the only recover of
// the package.
func (m *Machine) guard(s *sa, path Path, out *Out, f func()) {
	defer func() {
		fault := recover()
		if fault == nil {
			return
		}
		e := Event{Kind: EventFault, Path: path, Reason: OwnFault, Detail: fmt.Sprint(fault)}
		out.Events = append(out.Events, e)
		switch {
		case s == nil:
		case s.session != nil:
			s.session.down(Event{Reason: OwnFault}, out)
		case s.opening != nil && s.initiator:
			m.hangUp(s, Event{Reason: OwnFault}, out)
		default:
			s.drop()
		}
	}()
	f()
}

// request takes one of the peer's.
func (s *sa) request(path Path, raw []byte, out *Out) {
	m, err := msg.Parse(raw)
	if err != nil {
		return
	}
	again := s.expect > 0 && m.ID == s.expect-1
	if !again && (m.ID != s.expect || s.stage == stageGone || s.session == nil && s.initiator) {
		return // the last: a responder that is up before we are asks again, and what was hung up is not spoken of any more
	}
	sum := sha256.Sum256(raw)
	if again {
		if isFirst(m) && (sum == s.answered.request || s.authentic(m, raw)) {
			out.transmit(path, s.answered.datagrams...)
		}
		return
	}
	first := isFirst(m)
	in, err := s.unseal(m, raw, &s.requests, path)
	if first && (err == nil || errors.Is(err, errIncomplete)) {
		s.answered.request = sum
	}
	var wrong *msg.Error
	switch {
	case errors.As(err, &wrong):
		s.refuse(in, wrong, out)
	case err == nil:
		s.handle(in, out)
	}
}

// authentic reports whether a request that was answered has been sealed anew, which a sender may do only to make smaller fragments of it.
func (s *sa) authentic(m msg.Message, raw []byte) bool {
	if s.opener == nil || len(m.Payloads) == 0 {
		return false
	}
	var err error
	switch p := m.Payloads[len(m.Payloads)-1].(type) {
	case msg.SK:
		_, err = s.opener.OpenPlain(raw, p)
	case msg.SKF:
		_, err = s.opener.OpenFragment(raw, p)
	default:
		return false
	}
	return err == nil
}

// refuse answers an authentic request that is no well-formed message (§2.21).
func (s *sa) refuse(in inbound, wrong *msg.Error, out *Out) {
	s.expect++
	s.reply(in, []msg.Payload{complaint(wrong)}, out)
	if s.opening != nil {
		s.reject(Event{Reason: Unusable, Detail: wrong.Error()}, out)
	}
}

// complaint tells the peer what is wrong with its message; of a critical payload that we do not know, which it is (§2.5).
func complaint(wrong *msg.Error) msg.Notify {
	n := msg.Notify{Kind: wrong.Notify}
	if wrong.Notify == msg.UnsupportedCriticalPayload {
		n.Data = []byte{byte(wrong.Payload)}
	}
	return n
}

// handle gives an authentic request to who may have it: a session handles everything but IKE_AUTH and IKE_INTERMEDIATE, and there is
// no session without proof.
func (s *sa) handle(in inbound, out *Out) {
	s.expect++
	switch {
	case s.session != nil:
		s.session.request(s, in, out)
	case s.opening == nil:
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.InvalidSyntax}}, out)
	case in.head.Exchange == msg.IKEIntermediate:
		s.intermediateRequest(in, out)
	case in.head.Exchange == msg.IKEAuth:
		s.authRequest(in, out)
	default:
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.InvalidSyntax}}, out)
	}
}

// response takes the peer's answer to our request.
func (s *sa) response(h msg.Header, path Path, raw []byte, out *Out) {
	r := s.pending
	if r == nil || h.ID != r.id || h.Exchange != r.exchange {
		return
	}
	m, err := msg.Parse(raw)
	if err != nil {
		return
	}
	if r.exchange == msg.IKESAInit {
		s.initResponse(m, raw, path, out)
		return
	}
	if _, hint := msg.Notified(m.Payloads, msg.InvalidIKESPI); hint { // in the clear
		if s.session != nil && s.session.sa == s {
			s.session.forgotten(out)
		}
		return
	}
	in, err := s.unseal(m, raw, &s.answers, path)
	var wrong *msg.Error
	switch {
	case errors.As(err, &wrong) && s.opening != nil:
		s.m.hangUp(s, Event{Reason: Unusable, Detail: wrong.Error()}, out)
	case errors.As(err, &wrong) && s.session != nil:
		s.session.down(Event{Reason: Unusable, Detail: wrong.Error()}, out)
	case errors.As(err, &wrong):
		s.drop()
	case err != nil:
	case s.session != nil:
		s.session.response(s, in, out)
	case s.opening == nil:
		s.unwanted(in, out)
	case h.Exchange == msg.IKEIntermediate:
		s.pending = nil
		s.intermediateResponse(in, out)
	case h.Exchange == msg.IKEAuth:
		s.pending = nil
		s.authResponse(in, out)
	}
}
