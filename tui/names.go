package tui

import (
	"context"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// namesNews is how machines are found by name, as the daemon last said.
type namesNews struct {
	local.DNS
	at    time.Time // zero: never asked
	asked bool
}

// namesFresh is how long that is good.
const namesFresh = 30 * time.Second

// nextNames asks for it, where it is not known lately. A daemon that knows no names is asked as seldom.
func (w *world) nextNames() action {
	if w.names.asked || w.away != nil || !w.known || !w.names.at.IsZero() && w.now.Sub(w.names.at) < namesFresh {
		return nil
	}
	w.names.asked = true
	return askNames{}
}

type askNames struct{}

func (askNames) run(ctx context.Context, c *Config) outcome {
	d, err := c.Daemon.DNS(ctx)
	return namesTold{d, c.Now(), err}
}

type namesTold struct {
	local.DNS
	at  time.Time
	err error
}

func (t namesTold) take(m *Model) action {
	m.world.names.asked, m.world.names.at = false, t.at
	if t.err == nil {
		m.world.names.DNS = t.DNS
	}
	return nil
}

// named is what the daemon says of a network's names; nil: not known.
func (w *world) named(n *network) *local.DNSNetwork {
	all := w.names.Networks
	if i := slices.IndexFunc(all, func(d local.DNSNetwork) bool { return d.Network == n.Name && d.Domain == n.Domain }); i >= 0 {
		return &all[i]
	}
	return nil
}

// domain says under which domain the machines of a network are found by name, and whether they are now; "": it has none.
func (w *world) domain(n *network) string {
	text := cleanName(n.Domain)
	switch d := w.named(n); {
	case text == "" || d == nil:
		return text
	case !d.On:
		return text + ", off: sudo cvlan set dns on"
	case !d.Served:
		return text + ", not now"
	case !w.names.InPlace:
		return text + ", and programs do not ask for them"
	}
	return text + ", answered here"
}

// fullName is under which name programs find a peer; "": under none.
func (w *world) fullName(p *peer) string {
	n := w.network(p.id.network)
	if n == nil {
		return ""
	}
	if d := w.named(n); d == nil || !d.Served || !w.names.InPlace {
		return ""
	}
	return p.name + "." + cleanName(n.Domain)
}
