package engine

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/disco"
)

// follow makes the tunnel's peers those of the map. Keys that are not used any more go first: one may come back as another's.
func (e *Engine) follow(events []netmap.Event) {
	if e.dev == nil {
		return
	}
	for _, v := range events {
		if v.Was != nil && (v.Peer == nil || v.Peer.Record.WG != v.Was.Record.WG || v.Peer.Record.Identity != v.Was.Record.Identity) {
			e.forget(v.Was)
		}
		if v.WasPlain != nil && (v.Plain == nil || v.Plain.WG != v.WasPlain.WG) {
			e.dev.tunnel.RemovePeer(v.WasPlain.WG)
		}
	}
	for _, v := range events {
		switch {
		case v.Peer != nil:
			e.setPeer(v.Peer)
		case v.Plain != nil:
			e.setPlain(v.Plain)
		case v.Kind == netmap.PeerRefused:
			e.log.Warn("node left out", logx.Peer, v.Node.String(), logx.Reason, v.Why)
		case v.Kind == netmap.RouteRefused:
			e.log.Warn("route left out", logx.Peer, v.Node.String(), logx.Reason, v.Why)
		case v.Kind == netmap.PlainRefused:
			e.log.Warn("plain peer left out", logx.Peer, v.ID.String(), logx.Reason, v.Why)
		case v.Kind == netmap.RelayRefused:
			e.log.Warn("relay left out", logx.Reason, v.Why)
		case v.Kind == netmap.RelaysChanged:
			e.relays()
		}
	}
}

// forget has the tunnel forget a node. Whoever is no longer in the map cannot prove any more that it is.
func (e *Engine) forget(p *netmap.Peer) {
	e.directory.remove(p.Record.Node)
	e.dev.tunnel.RemovePeer(p.Record.WG)
}

// setPeer tells the tunnel of a node. One that went offline may still be where it was, so that no endpoints mean those of before.
func (e *Engine) setPeer(p *netmap.Peer) {
	speaks, ok := e.speak(p)
	if !ok {
		e.dev.tunnel.RemovePeer(p.Record.WG)
		return
	}
	g := e.dev.tunnel.Guide()
	all, kinds := e.candidates(p)
	routed, besides := e.behind(p)
	e.set(p.Record.Node.String(), tunnel.PeerConfig{Key: p.Record.WG, Node: p.Record.Node, Allowed: append(hosts(p), routed...), Besides: besides, Protocol: classOf(speaks.By), Strict: speaks.Only && speaks.Open(),
		Guided: g != nil, TakesPartial: g != nil, Candidates: all}) // as all do that have a key of core/quantum
	if g == nil {
		return
	}
	known := guide.Peer{Key: p.Record.WG, Node: p.Record.Node, Home: p.Soft.HomeRelay}
	for i, a := range all {
		known.Candidates = append(known.Candidates, disco.Candidate{Addr: a, Kind: kinds[i]})
	}
	g.SetPeer(known)
}

// setPlain tells the tunnel of a device without an agent.
func (e *Engine) setPlain(p *control.Plain) {
	c := tunnel.PeerConfig{Key: p.WG, Preshared: p.Preshared.Raw(), Allowed: p.Hosts(), Keepalive: time.Duration(p.Keepalive) * time.Second}
	if p.Endpoint.IsValid() {
		c.Candidates = []netip.AddrPort{p.Endpoint}
	}
	e.set(p.ID.String(), c)
}

func (e *Engine) set(id string, c tunnel.PeerConfig) {
	if err := e.dev.tunnel.SetPeer(c); err != nil {
		e.log.Error("peer not set", logx.Peer, id, logx.Err, err)
	}
}

// hosts are the addresses that a peer may use, each alone.
func hosts(p *netmap.Peer) (all []netip.Prefix) {
	for _, a := range []netip.Addr{p.Record.Address4, p.Record.Address6} {
		if a.IsValid() {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return all
}

// candidates are a peer's endpoints and how it came by them, without those that would lead into the tunnel itself.
func (e *Engine) candidates(p *netmap.Peer) (all []netip.AddrPort, kinds []disco.CandidateKind) {
	n, _ := e.table.Network()
	for i, c := range p.Soft.Endpoints {
		if n.Range4.Contains(c.Addr()) || n.Range6.Contains(c.Addr()) || len(all) == tunnel.MaxCandidates {
			continue
		}
		kind := disco.Host
		if i < len(p.Soft.Kinds) {
			kind = disco.CandidateKind(p.Soft.Kinds[i])
		}
		all, kinds = append(all, c), append(kinds, kind)
	}
	return all, kinds
}
