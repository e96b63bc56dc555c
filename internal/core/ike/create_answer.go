package ike

import (
	"bytes"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func lower(a, b []byte) bool { return bytes.Compare(a, b) < 0 }

// createRequest takes CREATE_CHILD_SA, which is one of three things (§1.3).
func (x *session) createRequest(s *sa, in inbound, out *Out) {
	offer, ok1 := msg.First[msg.SA](in.payloads)
	nonce, ok2 := msg.First[msg.Nonce](in.payloads)
	if !ok1 || !ok2 {
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.InvalidSyntax}}, out)
		return
	}
	var ps []msg.Payload
	no := msg.Notify{}
	rekey, isRekey := msg.Notified(in.payloads, msg.RekeySA)
	switch {
	case s.stage != stageOpen || s != x.sa:
		no.Kind = msg.TemporaryFailure
	case offer[0].Protocol == msg.ProtocolIKE:
		x.answerRekeyIKE(s, in, out)
		return
	case x.replacing() != nil:
		no.Kind = msg.TemporaryFailure
	case isRekey:
		ps, no = x.answerRekeyChild(s, in, rekey, out)
	default:
		ps, _, no = x.answerChild(s, in, crypt.Nonces{Initiator: clone(nonce)}, x.profile().ESP, 0, out)
	}
	if no.Kind != 0 {
		ps = []msg.Payload{no}
	}
	s.reply(in, ps, out)
}

// answerRekeyChild makes a Child SA that replaces another.
func (x *session) answerRekeyChild(s *sa, in inbound, which msg.Notify, out *Out) ([]msg.Payload, msg.Notify) {
	spi, ok := which.ChildSPI()
	if !ok || which.Protocol != msg.ProtocolESP {
		return nil, msg.Notify{Kind: msg.InvalidSyntax}
	}
	old := x.byOut(spi)
	ours, _ := x.asked().(*createChild)
	switch {
	case old == nil && ours != nil: // it may be what the peer has made for us, whose answer is under way
		return nil, msg.Notify{Kind: msg.TemporaryFailure}
	case old == nil:
		return nil, msg.Notify{Protocol: which.Protocol, SPI: which.SPI, Kind: msg.ChildSANotFound}
	}
	if ours != nil && ours.old != old.in {
		ours = nil
	}
	if old.ends || ours != nil && ours.rival != nil { // it is going, or the peer asks for the same twice
		return nil, msg.Notify{Kind: msg.TemporaryFailure}
	}
	nonce, _ := msg.First[msg.Nonce](in.payloads)
	ps, made, no := x.answerChild(s, in, crypt.Nonces{Initiator: clone(nonce)}, x.profile().ESP, old.in, out)
	if no.Kind != 0 {
		return nil, no
	}
	if ours != nil {
		ours.rival = made
	} else {
		old.ends, old.replaced = true, true
	}
	return ps, msg.Notify{}
}
