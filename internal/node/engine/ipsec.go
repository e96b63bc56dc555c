package engine

import (
	"errors"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// ErrNoIPsec says that a node does not speak IPsec, or that its tunnel is not up.
var ErrNoIPsec = errors.New("this node does not speak IPsec, or its tunnel is not up")

// SAs are all security associations, and what turns their instants into times of day.
func (s *Status) SAs() (all []ipsec.SAs, wall func(mono.Time) time.Time, err error) {
	err = s.desk(func(now mono.Time, d ipsec.Desk, _ func(key.WGPublic) *tunnel.Peer, _ *tunnel.Out) error {
		at := time.Now()
		wall = func(t mono.Time) time.Time {
			if t.IsNever() {
				return time.Time{}
			}
			return at.Add(t.Sub(now))
		}
		all = d.SAs()
		return nil
	})
	return all, wall, err
}

// RekeySAs has all security associations with a peer replaced, EndSAs ends them; the next packet makes new ones.
func (s *Status) RekeySAs(k key.WGPublic) error { return s.act(k, ipsec.Desk.Rekey) }

// EndSAs is told of above.
func (s *Status) EndSAs(k key.WGPublic) error { return s.act(k, ipsec.Desk.Terminate) }

// ErrNoSAs says that there is nothing to be rekeyed or ended.
var ErrNoSAs = errors.New("there are no security associations with this peer")

func (s *Status) act(k key.WGPublic, do func(ipsec.Desk, mono.Time, *tunnel.Peer, *tunnel.Out) error) error {
	return s.desk(func(now mono.Time, d ipsec.Desk, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) error {
		p := find(k)
		if p == nil {
			return ErrNoSAs
		}
		return do(d, now, p, out)
	})
}

func (s *Status) desk(f func(mono.Time, ipsec.Desk, func(key.WGPublic) *tunnel.Peer, *tunnel.Out) error) error {
	if s.tunnel == nil {
		return ErrNoIPsec
	}
	err := ErrNoIPsec
	s.tunnel.Consult(tunnel.IKE, func(now mono.Time, tr tunnel.Transport, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) {
		var d ipsec.Desk
		if d, err = ipsec.DeskOf(tr); err == nil {
			err = f(now, d, find, out)
		}
	})
	return err
}

// Identity is by which peers know the node in IPsec.
func (s *Status) Identity() (string, error) {
	if s.directory == nil {
		return "", ErrNoIPsec
	}
	n, _, err := s.directory.own()
	if err != nil {
		return "", err
	}
	return n.String(), nil
}

// IKELog is what IKE did since, oldest first, as far as it is remembered, and what to ask with next. It begins with 0.
func (e *Engine) IKELog(since uint64) (all []IKEEvent, next uint64) { return e.journal.since(since) }
