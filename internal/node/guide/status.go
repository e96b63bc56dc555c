package guide

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/core/quantum"
	"github.com/cvlan/cvlan/internal/core/relayed"
)

// Ways is what is known of the ways to a peer.
type Ways struct {
	path.Status
	Links    [maxSlots + 1]relayed.Status // by slot
	Lifetime time.Duration                // see Guide.Lifetime
	Secret   quantum.Status
	now      mono.Time
}

// Ago says how long ago an instant in w was; 0 for Never.
func (w *Ways) Ago(at mono.Time) time.Duration {
	if at.IsNever() {
		return 0
	}
	return w.now.Sub(at)
}

// Ways tells of one peer; false: the guide does not know it.
func (g *Guide) Ways(peer key.WGPublic) (w Ways, ok bool) {
	g.do(func(now mono.Time) {
		m := g.find(peer)
		if m == nil {
			return
		}
		ok, w.now, w.Lifetime = true, now, g.own.lifetime.Known()
		if m.talk == nil {
			for _, c := range m.where.candidates() {
				w.Candidates = append(w.Candidates, path.Candidate{Way: path.Way{Remote: c.Addr}, Kind: c.Kind})
			}
			return
		}
		w.Status, _ = g.finder.Status(m.id)
		w.Secret, _ = g.secrets.Status(peer)
		for _, s := range g.links.Status() {
			w.Links[s.Slot] = s
		}
	})
	return w, ok
}

// Lifetime is for how long the NAT or firewall before this node keeps an idle mapping of IPv4 at least, as measured; 0: it has not been yet.
func (g *Guide) Lifetime() (d time.Duration) {
	g.do(func(mono.Time) { d = g.own.lifetime.Known() })
	return d
}

// Using tells of every peer which relay its datagrams go through; those that go directly, or nowhere, are left out.
func (g *Guide) Using() map[key.WGPublic]ident.Relay {
	all := map[key.WGPublic]ident.Relay{}
	g.do(func(mono.Time) {
		relays := g.relays()
		for _, m := range g.talking {
			if m != nil && m.using.Relay != 0 && m.using.Relay <= maxSlots {
				all[m.key()] = relays[m.using.Relay]
			}
		}
	})
	return all
}

// Links tells of every link to a relay.
func (g *Guide) Links() (all []relayed.Status) {
	g.do(func(mono.Time) { all = g.links.Status() })
	return all
}

func (g *Guide) relays() (by [maxSlots + 1]ident.Relay) {
	for _, s := range g.links.Status() {
		by[s.Slot] = s.Relay
	}
	return by
}
