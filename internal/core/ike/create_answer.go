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
	x.giveUp()
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
		ps, no = x.answerChild(s, in, crypt.Nonces{Initiator: clone(nonce)}, x.profile().ESP, 0, always, out)
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
	if no := x.mayReplace(x.byOut(spi), which); no.Kind != 0 {
		return nil, no
	}
	old := x.byOut(spi)
	nonce, _ := msg.First[msg.Nonce](in.payloads)
	return x.answerChild(s, in, crypt.Nonces{Initiator: clone(nonce)}, x.profile().ESP, old.in, func(low []byte) msg.Notify {
		if no := x.mayReplace(x.byOut(spi), which); no.Kind != 0 {
			return no
		}
		if ours := x.replacingChild(old); ours != nil {
			ours.rival = low
		} else {
			old.ends, old.replaced = true, true
		}
		return msg.Notify{}
	}, out)
}

// mayReplace says why the peer may not replace a Child SA now, of which which is what it says of it.
func (x *session) mayReplace(old *child, which msg.Notify) msg.Notify {
	if old == nil {
		if _, creating := x.asked().(*createChild); creating { // it may be what the peer has made for us, whose answer is under way
			return msg.Notify{Kind: msg.TemporaryFailure}
		}
		return msg.Notify{Protocol: which.Protocol, SPI: which.SPI, Kind: msg.ChildSANotFound}
	}
	if ours := x.replacingChild(old); old.ends || ours != nil && ours.rival != nil { // it is going, or the peer asks for the same twice
		return msg.Notify{Kind: msg.TemporaryFailure}
	}
	return msg.Notify{}
}

// replacingChild is what we have asked to replace a Child SA, and is unanswered; nil: nothing.
func (x *session) replacingChild(old *child) *createChild {
	if ours, _ := x.asked().(*createChild); ours != nil && ours.old == old.in {
		return ours
	}
	return nil
}
