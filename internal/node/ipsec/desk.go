package ipsec

import (
	"errors"
	"log/slog"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Session is what a Keyer has with a peer, for people. It has no keys.
type Session struct {
	Peer      key.WGPublic
	Identity  string // that the peer has proved
	Method    string // by which it has
	Began     bool   // by us
	Initiator uint64 // SPIs of the IKE SA
	Responder uint64
	Cipher    string
	Up, Heard mono.Time // since when there is the session, and when the peer last showed that it lives
	Rekey     mono.Time // when the IKE SA is to be replaced
	ProofEnds mono.Time // until when the peer's proof holds, its certificate perhaps; Never: it has no end
	Pending   int       // wishes that wait, and the request that is unanswered
}

// Clerk is a Keyer that can tell what it has, and do what people ask.
type Clerk interface {
	Sessions() []Session
	// Rekey replaces all SAs with a peer, Terminate ends them and tells the peer.
	Rekey(now mono.Time, p *tunnel.Peer) error
	Terminate(now mono.Time, p *tunnel.Peer) error
}

// SAs are what there is with one peer.
type SAs struct {
	Peer key.WGPublic
	IKE  []Session
	ESP  []esp.Status
}

// Desk is where people ask of a transport. It is used while the tunnel's owner lets them (tunnel.Consult).
type Desk struct {
	t     *transport
	clerk Clerk
}

// ErrNoDesk says that a transport is none of this package's, or that its Keyer keeps no books.
var ErrNoDesk = errors.New("ipsec: this transport has nothing to tell")

// DeskOf is that of a transport.
func DeskOf(tr tunnel.Transport) (Desk, error) {
	t, ok := tr.(*transport)
	if !ok {
		return Desk{}, ErrNoDesk
	}
	clerk, ok := t.keyer.(Clerk)
	if !ok {
		return Desk{}, ErrNoDesk
	}
	return Desk{t, clerk}, nil
}

// SAs tells everything there is, in no order.
func (d Desk) SAs() (all []SAs) {
	at := map[key.WGPublic]int{}
	of := func(k key.WGPublic) *SAs {
		i, ok := at[k]
		if !ok {
			i = len(all)
			at[k] = i
			all = append(all, SAs{Peer: k})
		}
		return &all[i]
	}
	for _, s := range d.clerk.Sessions() {
		x := of(s.Peer)
		x.IKE = append(x.IKE, s)
	}
	for k := range d.t.peers {
		if pairs := d.t.machine.Status(k); len(pairs) > 0 {
			of(k).ESP = pairs
		}
	}
	return all
}

// LendTo has another carry packets, whose port is that of the tunnel's sockets; nil: the tunnel carries all itself.
func (d Desk) LendTo(now mono.Time, k Kernel, port uint16, log *slog.Logger, out *tunnel.Out) {
	defer d.t.calls(now, out)()
	d.t.lendTo(now, k, port, log)
}

// Rekey has all SAs with a peer replaced.
func (d Desk) Rekey(now mono.Time, p *tunnel.Peer, out *tunnel.Out) error {
	defer d.t.calls(now, out)()
	return d.clerk.Rekey(now, p)
}

// Terminate ends all SAs with a peer. The next packet makes new ones.
func (d Desk) Terminate(now mono.Time, p *tunnel.Peer, out *tunnel.Out) error {
	defer d.t.calls(now, out)()
	return d.clerk.Terminate(now, p)
}
