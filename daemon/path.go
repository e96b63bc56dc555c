package daemon

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Path implements localapi.Backend.
func (d *Daemon) Path(_ context.Context, r local.PathRequest) (local.PeerPath, error) {
	t, err := d.find(r.Peer, r.Network)
	if err != nil {
		return local.PeerPath{}, err
	}
	p := local.PeerPath{Schema: local.Schema, Peer: t.name, Network: t.s.Network.Name, Address: t.addr, Path: local.PathIdle, Preshared: "none",
		Candidates: []local.Candidate{}}
	if live, ok := t.s.Live()[t.key]; ok {
		heardAt(&p, &live)
	}
	return p, nil
}

// heardAt tells of a peer that is wherever it was heard from last.
func heardAt(p *local.PeerPath, live *tunnel.PeerState) {
	if live.Preshared {
		p.Preshared = "configured"
	}
	if !live.Endpoint.IsValid() {
		return
	}
	c := local.Candidate{Path: local.PathDirect, Address: &live.Endpoint, Kind: "heard", State: "silent", Chosen: true, Heard: instant(live.LastHandshake)}
	if time.Since(live.LastHandshake) < sessionLife {
		c.State, p.Path, p.Why = "proven", local.PathDirect, "it was heard from here last"
	}
	p.Candidates = append(p.Candidates, c)
}
