package tui

import (
	"context"
	"errors"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// pathNews is what is known of the ways to a peer.
type pathNews struct {
	local.PeerPath
	at  time.Time
	err error
}

// askPath asks for every way to a peer.
type askPath struct{ id peerID }

func (a askPath) run(ctx context.Context, c *Config) outcome {
	p, err := c.Daemon.Path(ctx, local.PathRequest{Peer: a.id.node, Network: a.id.network})
	return pathTold{a.id, pathNews{p, c.Now(), err}}
}

type pathTold struct {
	id   peerID
	news pathNews
}

func (t pathTold) take(m *Model) action {
	m.pathAsked = false
	w := m.world
	var l *local.Error
	if errors.As(t.news.err, &l) && l.Code == local.CodePermission {
		w.noPaths = t.news.err
		return nil
	}
	p := w.byID[t.id]
	if p == nil {
		return nil
	}
	w.paths[t.id] = t.news
	for _, c := range t.news.Candidates {
		if c.Chosen && c.RTT > 0 {
			p.rtt = c.RTT
		}
	}
	return nil
}

// nextPath says whose ways to ask for now: those of the peer that is looked at each time, and in between those of one other that is
// seen and in use, so that the list fills with latencies. It asks each second in full and each other second beside the list; one question is on its way at a time.
func (m *Model) nextPath() action {
	w := m.world
	if m.pathAsked || w.noPaths != nil || w.away != nil || !w.known {
		return nil
	}
	id, ok := m.details.id, m.at == placePeers
	if !m.detailed && m.config.Now().Unix()%2 > 0 {
		return nil
	}
	if !m.detailed {
		id = m.peers.chosen
		if m.turn++; m.turn%2 == 0 {
			if other, found := m.peers.unmeasured(m.turn / 2); found {
				id = other
			}
		}
	}
	if !ok || w.byID[id] == nil {
		return nil
	}
	m.pathAsked = true
	return askPath{id}
}
