package guide

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/proto/disco"
)

// Errors of Probe.
var (
	ErrNoRelay = errors.New("no relay leads to the peer")
	ErrBusy    = errors.New("too many probes are under way")
	ErrUnknown = errors.New("the peer is not one that the guide knows")
)

// maxProbes is how many probes of people may be under way.
const maxProbes = 16

// probeSettle is what a lane that was waited for has to settle: just then UDP takes over from the relay's connection, and what leaves in the same moment may
// come before the relay knows.
const probeSettle = 100 * time.Millisecond

// probe is one question of a person, which the paths are not judged by.
type probe struct {
	id   uint64
	to   *mate
	at   mono.Time // when it is to leave; Never: no lane leads there yet, or it has left
	sent mono.Time // Never: it has not left
	done chan time.Duration
}

// Probe asks the peer's guide for an answer through the relay, whichever way is in use, and returns how long it took. It waits for a lane to the
// peer as long as ctx allows: ErrNoRelay says that none came, or that it was lost.
func (g *Guide) Probe(ctx context.Context, peer key.WGPublic) (time.Duration, error) {
	p, err := (*probe)(nil), ErrUnknown
	g.do(func(now mono.Time) {
		if m := g.find(peer); m != nil && g.warm(now, m) {
			p, err = g.probe(now, m)
		}
	})
	if err != nil {
		return 0, err
	}
	defer g.do(func(mono.Time) { delete(g.probes, p.id) })
	select {
	case took := <-p.done:
		return took, nil
	case <-ctx.Done():
		err = ctx.Err()
		g.do(func(mono.Time) {
			if p.sent.IsNever() || p.to.talk == nil || len(p.to.lanes) == 0 {
				err = ErrNoRelay
			}
		})
		return 0, err
	}
}

func (g *Guide) probe(now mono.Time, m *mate) (*probe, error) {
	g.want(now, m)
	if len(g.probes) == maxProbes {
		return nil, ErrBusy
	}
	var b [8]byte
	if _, err := io.ReadFull(g.cfg.Rand, b[:]); err != nil {
		return nil, err
	}
	p := &probe{id: binary.BigEndian.Uint64(b[:]), to: m, done: make(chan time.Duration, 1)}
	g.probes[p.id] = p
	if len(m.lanes) > 0 {
		g.inquire(now, p)
	}
	return p, nil
}

// laid has the probes leave soon that have waited for a lane to a peer.
func (g *Guide) laid(now mono.Time, m *mate) {
	for _, p := range g.probes {
		if p.to == m && p.sent.IsNever() && p.at.IsNever() && len(m.lanes) > 0 {
			p.at = now.Add(probeSettle)
		}
	}
}

// inquiries sends the probes that are due.
func (g *Guide) inquiries(now mono.Time) {
	for _, p := range g.probes {
		if !p.at.IsNever() && p.at <= now {
			g.inquire(now, p)
		}
	}
}

// inquire sends a probe, if there is a lane still.
func (g *Guide) inquire(now mono.Time, p *probe) {
	p.at = mono.Never
	if p.to.talk == nil || len(p.to.lanes) == 0 {
		return
	}
	p.sent = now
	slot := p.to.lanes[0].Slot
	g.say(now, p.to, path.Way{Relay: slot}, &disco.Message{Kind: disco.Ping, ID: p.id, Size: disco.MinPing})
	g.links.Check(now, slot, &g.relaying)
	g.ferry(now)
}

// probed takes an answer if a person waits for it.
func (g *Guide) probed(now mono.Time, msg *disco.Message) bool {
	p := g.probes[msg.ID]
	if p == nil || msg.Kind != disco.Pong {
		return false
	}
	delete(g.probes, msg.ID)
	p.done <- now.Sub(p.sent)
	return true
}
