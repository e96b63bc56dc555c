package guide

import (
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/proto/control"
)

// SetPeer tells what the map says of a peer that the tunnel has.
func (g *Guide) SetPeer(p Peer) {
	g.do(func(now mono.Time) {
		m := g.find(p.Key)
		if m == nil {
			return
		}
		if m.node != p.Node && g.byNode[m.node] == m {
			delete(g.byNode, m.node)
		}
		m.node = p.Node
		g.byNode[p.Node] = m
		if len(p.Candidates) > 0 { // else it may be where it was
			m.where = pack(p.Candidates)
		}
		g.links.Put(now, p.Node, p.Home, &g.relaying)
		g.ferry(now)
		if m.talk != nil {
			g.reach(now, m)
			g.act(now)
		}
	})
}

// SetRelays tells which relays there are, at which addresses their names are known to be, and which servers answer STUN.
func (g *Guide) SetRelays(named []control.Relay, all []relayed.Relay, servers []netip.AddrPort) {
	if g.cfg.Ferry != nil {
		g.cfg.Ferry.SetRelays(named)
	}
	g.do(func(now mono.Time) {
		g.own.servers = servers
		if g.own.lifetime == (stun.Lifetime{}) {
			g.own.lifetime.Moved(now, g.spread())
		}
		g.links.Relays(now, all, &g.relaying)
		g.ferry(now)
		g.ask(now)
	})
}

// SetOwn tells which addresses this machine has.
func (g *Guide) SetOwn(hosts []netip.Addr, prefixes []netip.Prefix) {
	g.do(func(now mono.Time) {
		g.own.hosts, g.own.prefixes = hosts, prefixes
		g.tell(now)
		g.act(now)
	})
}

// SetRouter tells where the router forwards to us from outside.
func (g *Guide) SetRouter(mapped []netip.AddrPort) {
	g.do(func(now mono.Time) {
		g.own.router = mapped
		g.tell(now)
		g.act(now)
	})
}

// Punched tells that the controller has a peer and us start at this moment.
func (g *Guide) Punched(n ident.Node) {
	g.do(func(now mono.Time) {
		if m := g.byNode[n]; m != nil && g.warm(now, m) {
			g.finder.Punch(now, m.id, &g.decisions)
			g.act(now)
		}
	})
}

// do has the owner call f, and waits for it; nothing happens if the tunnel is closed.
func (g *Guide) do(f func(now mono.Time)) {
	done := make(chan struct{})
	if g.host.Post(func() { defer close(done); f(g.clock.Now()) }) {
		<-done
	}
}

// ask asks the STUN servers where we are seen.
func (g *Guide) ask(now mono.Time) {
	if len(g.own.servers) == 0 {
		return
	}
	g.own.asking = stun.NewClient(g.own.servers, g.cfg.Rand)
	g.own.round++
	g.own.answers, g.own.ports = 0, 0
	if err := g.own.asking.Start(now, &g.asked); err != nil {
		g.own.asking = nil
	}
	g.mapped(now)
}

// mapped does what the STUN client decided.
func (g *Guide) mapped(now mono.Time) {
	for i := range g.asked.Transmits {
		t := &g.asked.Transmits[i]
		g.host.Transmit(t.Data, g.host.Direct(t.To, netip.Addr{}, 0))
	}
	changed := g.own.heard(g.asked.Events)
	g.asked.Reset()
	if changed {
		g.tell(now)
		g.act(now)
	}
}

// Close ends connections to relays. The tunnel is closed already.
func (g *Guide) Close() {
	if g.cfg.Ferry != nil {
		g.cfg.Ferry.Close()
	}
}
