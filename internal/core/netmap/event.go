package netmap

import (
	"cmp"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// Kind says what an Event tells. Events of one map come in the order of kinds, and of identifiers within a kind: what goes, goes
// before what comes, whether it is a node or a plain device.
type Kind uint8

// The kinds of event.
const (
	NetworkChanged Kind = iota + 1
	SelfChanged
	PeerRemoved   // Was is what it was
	PlainRemoved  // WasPlain
	PeerRefused   // a node is left out; Why says the reason
	RouteRefused  // a node stays, but some of its routes are left out; Why
	PlainRefused  // a plain device is left out; Why
	PeerChanged   // Was and Peer; its record differs, and perhaps its soft state
	PeerAdded     // Peer
	SoftChanged   // Was and Peer; only its soft state differs
	PlainChanged  // WasPlain and Plain
	PlainAdded    // Plain
	RelayRefused  // a relay is left out; Why
	RelaysChanged // the table of relays differs; see Table.Relays
	RulesChanged  // see Table.Rules
	TrustChanged  // see Table.Authorities
)

// Event is one thing that a map changed.
type Event struct {
	Kind Kind
	Node ident.Node // zero: the network, this node, or a node that cannot be named
	Peer *Peer
	Was  *Peer
	Why  string // harmless to show

	ID       ident.Plain // of the plain device; zero: one that cannot be named, or it is no event of one
	Plain    *control.Plain
	WasPlain *control.Plain
}

// Out is filled by Apply. The caller owns and reuses it.
type Out struct{ Events []Event }

func (o *Out) add(e Event) { o.Events = append(o.Events, e) }

func byKind(a, b Event) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Node, b.Node), cmp.Compare(a.ID, b.ID))
}
