package ike

import (
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
