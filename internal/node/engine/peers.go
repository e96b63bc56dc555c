package engine

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/control"
)

// follow makes the tunnel's peers those of the map. Keys that are not used any more go first: one may come back as another's.
func (e *Engine) follow(events []netmap.Event) {
	if e.dev == nil {
		return
	}
	for _, v := range events {
		if v.Was != nil && (v.Peer == nil || v.Peer.Record.WG != v.Was.Record.WG) {
			e.dev.tunnel.RemovePeer(v.Was.Record.WG)
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
		case v.Kind == netmap.PlainRefused:
			e.log.Warn("plain peer left out", logx.Peer, v.ID.String(), logx.Reason, v.Why)
		}
	}
}

// setPeer tells the tunnel of a node. One that went offline may still be where it was, so that no endpoints mean those of before.
func (e *Engine) setPeer(p *netmap.Peer) {
	e.set(p.Record.Node.String(), tunnel.PeerConfig{Key: p.Record.WG, Allowed: hosts(p), Candidates: e.candidates(p)})
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

// candidates are a peer's endpoints, without those that would lead into the tunnel itself.
func (e *Engine) candidates(p *netmap.Peer) (all []netip.AddrPort) {
	n, _ := e.table.Network()
	for _, c := range p.Soft.Endpoints {
		if !n.Range4.Contains(c.Addr()) && !n.Range6.Contains(c.Addr()) && len(all) < tunnel.MaxCandidates {
			all = append(all, c)
		}
	}
	return all
}
