package engine

import (
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// follow makes the tunnel's peers those of the map. Keys that are not used any more go first: one may come back as another's.
func (e *Engine) follow(events []netmap.Event) {
	if e.dev == nil {
		return
	}
	for _, v := range events {
		if v.Was != nil && (v.Peer == nil || v.Peer.Record.WG != v.Was.Record.WG) {
			e.dropPeer(v.Was.Record.WG)
		}
	}
	for _, v := range events {
		if v.Peer != nil {
			e.setPeer(v.Peer)
		}
		if v.Kind == netmap.PeerRefused {
			e.log.Warn("node left out", logx.Peer, v.Node.String(), logx.Reason, v.Why)
		}
	}
}

func (e *Engine) dropPeer(k key.WGPublic) {
	e.dev.tunnel.RemovePeer(k)
	delete(e.dev.inside, k)
}

func (e *Engine) setPeer(p *netmap.Peer) {
	want := tunnel.PeerConfig{Key: p.Record.WG, Allowed: hosts(p), Candidates: e.candidates(p)}
	if has, ok := e.dev.inside[want.Key]; ok {
		if len(want.Candidates) == 0 { // a node that went offline may still be where it was
			want.Candidates = has.Candidates
		}
		if slices.Equal(has.Allowed, want.Allowed) && slices.Equal(has.Candidates, want.Candidates) {
			return
		}
	}
	if err := e.dev.tunnel.SetPeer(want); err != nil {
		e.log.Error("peer not set", logx.Peer, p.Record.Node.String(), logx.Err, err)
		return
	}
	e.dev.inside[want.Key] = want
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
