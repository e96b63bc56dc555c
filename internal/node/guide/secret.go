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

// agree does what the exchanges of keys decided: first new keys are taken, then messages leave, and then begins what waited, so that the other
// side hears that we have a key before we use it. Answers go back on the way that their question came.
func (g *Guide) agree(now mono.Time, from path.Way) {
	for i := range g.agreeing.Events {
		if e := &g.agreeing.Events[i]; e.Kind == quantum.EventKeys {
			if m := g.find(e.Peer); m != nil {
				g.host.Share(now, m.tunnel, e.Keys.Current.Raw(), e.Keys.Other.Raw())
			}
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
	for i := range g.agreeing.Events {
		e := &g.agreeing.Events[i]
		if m := g.find(e.Peer); m != nil && m.talk != nil && e.Kind != quantum.EventKeys {
			g.agreed(now, m, e.Kind)
		}
	}
	g.agreeing.Reset()
}

// agreed lets go what waited for a key.
func (g *Guide) agreed(now mono.Time, m *mate, k quantum.EventKind) {
	held := m.held
	m.held = false
	switch {
	case k == quantum.EventGaveUp:
		g.host.Forsake(m.tunnel)
	case held:
		g.host.Begin(now, m.tunnel)
	}
}
