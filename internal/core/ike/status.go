package ike

import (
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Status is what can be told of a session, for people. It has no keys.
type Status struct {
	ID         ID
	Peer       string
	Identity   msg.Identity // that the peer has proved
	Method     msg.AuthMethod
	Began      bool // by us
	SPIi, SPIr msg.SPI
	Cipher     string
	Path       Path
	NAT        NAT
	MOBIKE     bool
	Reach      []netip.Addr // further addresses at which the peer may be reached
	Up, Heard  mono.Time    // since when there is the session, and when the peer last showed that it lives
	Rekey      mono.Time    // when the IKE SA is to be replaced
	Inside     Inside
	ProofEnds  mono.Time // until when the peer's proof holds; Never: it has no end
	Children   []ChildSA
	Pending    int // wishes that wait, and the request that is unanswered
}

// LastHeard is when a peer last showed that it lives, by a message that has proved authentic, or by what Heard was told of; Never: it is down.
func (m *Machine) LastHeard(id ID) mono.Time {
	if x := m.sessions[id]; x != nil {
		return x.heard
	}
	return mono.Never
}

// Sessions tells about all of them, in the order in which they came up.
func (m *Machine) Sessions() (all []Status) {
	for _, x := range m.sessions {
		all = append(all, x.status())
	}
	slices.SortFunc(all, func(a, b Status) int { return int(int64(a.ID) - int64(b.ID)) })
	return all
}

func (x *session) status() Status {
	i, r := x.sa.spis()
	s := Status{
		ID: x.id, Peer: x.peer.Name, Identity: x.proof.Identity(), Method: x.proof.Method(), Began: x.began, SPIi: i, SPIr: r,
		Cipher: x.sa.cipher(), Path: x.path, NAT: x.nat, MOBIKE: x.mobile, Reach: x.reach, Up: x.upAt, Heard: x.heard, Rekey: x.rekeyAt,
		Inside: x.inside, ProofEnds: x.proofEnds, Pending: len(x.queue) + len(x.later),
	}
	if x.sa.pending != nil {
		s.Pending++
	}
	for _, c := range x.children {
		s.Children = append(s.Children, ChildSA{In: c.in, Out: c.out, Encryption: c.choice.Encryption, Integrity: c.choice.Integrity,
			Extended: c.choice.Extended, Ours: c.ours, Theirs: c.theirs})
	}
	return s
}
