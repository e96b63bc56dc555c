package engine

import (
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Guided starts a tunnel whose ways a guide of its own finds. ferry connects to relays; nil: there are none. It belongs to the tunnel, also
// when that does not start.
func Guided(c TunnelConfig, t tunnel.Config, ferry guide.Ferry) (Tunnel, error) {
	g := guide.New(guide.Config{Private: c.Private, Self: c.Self, Overlay: c.Overlay, Ferry: ferry, Now: c.Now, Report: c.Report, Punch: c.Punch, Log: c.Log})
	t.Guide = g.Build
	started, err := tunnel.New(t)
	if err != nil {
		g.Close()
		return nil, err
	}
	return &guided{started, g}, nil
}

type guided struct {
	*tunnel.Tunnel
	guide *guide.Guide
}

// Guide implements Tunnel.
func (g *guided) Guide() Guide { return g.guide }

// Close implements Tunnel.
func (g *guided) Close() error {
	err := g.Tunnel.Close()
	g.guide.Close()
	return err
}
