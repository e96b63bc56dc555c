package guide

import (
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/core/quantum"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Mismatch implements tunnel.Guide.
func (g *Guide) Mismatch(now mono.Time, p *tunnel.Peer) {
	g.secrets.Mismatch(now, p.Key(), &g.agreeing)
	g.agree(now, path.Way{})
}

// agree does what the exchanges of keys decided. Answers go back on the way that their question came.
func (g *Guide) agree(now mono.Time, from path.Way) {
	for i := range g.agreeing.Events {
		e := &g.agreeing.Events[i]
		m := g.find(e.Peer)
		if m == nil || m.talk == nil {
			continue
		}
		switch e.Kind {
		case quantum.EventKeys:
			g.host.Share(now, m.tunnel, e.Keys.Current.Raw(), e.Keys.Other.Raw())
		case quantum.EventShared:
			if m.held {
				m.held = false
				g.host.Begin(now, m.tunnel)
			}
		case quantum.EventGaveUp:
			m.held = false
			g.host.Forsake(m.tunnel)
		}
	}
	for i := range g.agreeing.Transmits {
		t := &g.agreeing.Transmits[i]
		m := g.find(t.Peer)
		switch {
		case m == nil || m.talk == nil:
		case t.Answer:
			g.say(now, m, from, &t.Message)
		default:
			g.say(now, m, m.using, &t.Message)
		}
	}
	g.agreeing.Reset()
}
