package guide

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// greetAfter is how long a peer that spoke to us first may take to shake hands. One that has not by then takes us for who we were before we were
// started anew: its packets come in a session that we do not have, and it would take 15 s to notice. So we begin.
const greetAfter = time.Second

// maxGreetings bounds the peers that are waited for; of others the tunnel's own timers take care.
const maxGreetings = 256

// greeting is a peer that spoke to us first.
type greeting struct {
	mate *mate
	at   mono.Time
}

// greeted notes that a peer has spoken to whom we have not.
func (g *Guide) greeted(now mono.Time, m *mate) {
	if len(g.greetings) < maxGreetings {
		g.greetings = append(g.greetings, greeting{m, now.Add(greetAfter)})
	}
}

// greet shakes hands with those that should have.
func (g *Guide) greet(now mono.Time) {
	for len(g.greetings) > 0 && g.greetings[0].at <= now {
		m := g.greetings[0].mate
		g.greetings = g.greetings[1:]
		if m.talk == nil || g.find(m.key()) != m || g.host.Connected(m.tunnel) {
			continue
		}
		if g.Wanted(now, m.tunnel) {
			g.host.Begin(now, m.tunnel)
		}
	}
}
