package ike

import (
	"slices"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Every key exchange of the package is begun by offerKey or answered by answerKey: those of IKE_SA_INIT (§1.2), of IKE_INTERMEDIATE and
// IKE_FOLLOWUP_KE (RFC 9370), and of CREATE_CHILD_SA (§1.3).

// offerKey makes the private half of a key exchange of ours.
func (m *Machine) offerKey(id msg.TransformID) (crypt.Offer, error) {
	method, err := m.method(id)
	if err != nil {
		return nil, err
	}
	return method.Offer()
}

// answerKey carries out a key exchange of the peer's.
func (m *Machine) answerKey(id msg.TransformID, offered []byte) (public, shared []byte, err error) {
	method, err := m.method(id)
	if err != nil {
		return nil, nil, err
	}
	return method.Answer(offered)
}

// guess is the key exchange of a request of ours. Which method the peer takes can only be guessed when the request is made; INVALID_KE_PAYLOAD
// names another (§1.2, §1.3).
type guess struct {
	offer   msg.SA
	method  msg.TransformID // that goes with the request
	tried   []msg.TransformID
	private crypt.Offer
}

// start makes the private half.
func (g *guess) start(m *Machine) (err error) {
	g.tried = append(g.tried, g.method)
	g.private, err = m.offerKey(g.method)
	return err
}

// payload is the public half.
func (g *guess) payload() msg.KE { return msg.KE{Method: g.method, Data: g.private.Public()} }

// next is what is guessed after INVALID_KE_PAYLOAD; false: it names what was not offered, or was tried.
func (g *guess) next(no msg.Notify) (guess, bool) {
	id, ok := no.Uint16()
	want := msg.TransformID(id)
	offered := slices.ContainsFunc(g.offer, func(p msg.Proposal) bool {
		return slices.ContainsFunc(p.Of(msg.KeyExchange), func(t msg.Transform) bool { return t.ID == want })
	})
	if !ok || !offered || want == msg.KENone || slices.Contains(g.tried, want) {
		return guess{}, false
	}
	return guess{offer: g.offer, method: want, tried: g.tried}, true
}
