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

// probe is one question of a person, which the paths are not judged by.
type probe struct {
	sent mono.Time
	done chan time.Duration
}

// Probe asks the peer's guide for an answer through the relay, whichever way is in use, and returns how long it took.
func (g *Guide) Probe(ctx context.Context, peer key.WGPublic) (time.Duration, error) {
	p, id, err := (*probe)(nil), uint64(0), ErrUnknown
	g.do(func(now mono.Time) {
		if m := g.find(peer); m != nil && g.warm(now, m) {
			p, id, err = g.probe(now, m)
		}
	})
	if err != nil {
		return 0, err
	}
	defer g.do(func(mono.Time) { delete(g.probes, id) })
	select {
	case took := <-p.done:
		return took, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (g *Guide) probe(now mono.Time, m *mate) (*probe, uint64, error) {
	g.want(now, m)
	switch {
	case len(m.lanes) == 0:
		return nil, 0, ErrNoRelay
	case len(g.probes) == maxProbes:
		return nil, 0, ErrBusy
	}
	var b [8]byte
	if _, err := io.ReadFull(g.cfg.Rand, b[:]); err != nil {
		return nil, 0, err
	}
	id, p := binary.BigEndian.Uint64(b[:]), &probe{sent: now, done: make(chan time.Duration, 1)}
	g.probes[id] = p
	g.say(now, m, path.Way{Relay: m.lanes[0].Slot}, &disco.Message{Kind: disco.Ping, ID: id, Size: disco.MinPing})
	return p, id, nil
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
