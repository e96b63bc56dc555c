package tui

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// maxPongs bounds what a run remembers.
const maxPongs = 600

// pinging is a run of echoes to one peer.
type pinging struct {
	id      peerID
	on      bool
	waiting bool // one is on its way
	sent    int
	got     int
	echoes  []echo
	last    local.Pong
	err     error // of the last one
	fatal   bool  // none can be sent
}

// echo is one of them.
type echo struct {
	ms   float64 // NaN: lost
	path string
}

// start begins a run, or goes on with the one there is.
func (p *pinging) start(id peerID) {
	if p.id != id {
		*p = pinging{id: id}
	}
	p.on, p.fatal = true, false
}

// spread returns the lowest, middle and highest of what came back.
func (p *pinging) spread() (low, mean, high float64) {
	low = math.Inf(1)
	n := 0
	for _, e := range p.echoes {
		v := e.ms
		if math.IsNaN(v) {
			continue
		}
		low, high, mean, n = min(low, v), max(high, v), mean+v, n+1
	}
	if n == 0 {
		return 0, 0, 0
	}
	return low, mean / float64(n), high
}

// lost returns the share of echoes that did not come back.
func (p *pinging) lost() float64 {
	if p.sent == 0 {
		return 0
	}
	return 100 * float64(p.sent-p.got) / float64(p.sent)
}

type sendPing struct{ id peerID }

func (a sendPing) run(ctx context.Context, c *Config) outcome {
	p, err := c.Daemon.Ping(ctx, local.PingRequest{Peer: a.id.node, Network: a.id.network})
	return pingBack{a.id, p, err}
}

type pingBack struct {
	id   peerID
	pong local.Pong
	err  error
}

func (b pingBack) take(m *Model) action {
	p := &m.world.ping
	if p.id != b.id {
		return nil
	}
	p.waiting, p.err = false, b.err
	rtt := math.NaN()
	switch {
	case b.err == nil:
		p.got, p.last = p.got+1, b.pong
		rtt = float64(b.pong.RTT) / float64(time.Millisecond)
		if known := m.world.byID[b.id]; known != nil {
			known.rtt = b.pong.RTT
		}
	case !missed(b.err):
		p.on, p.fatal = false, true
		return nil
	}
	p.sent++
	if len(p.echoes) == maxPongs {
		p.echoes = append(p.echoes[:0], p.echoes[1:]...)
	}
	p.echoes = append(p.echoes, echo{rtt, b.pong.Path})
	return nil
}

// missed reports whether an error means that this echo did not come back, rather than that none can be sent.
func missed(err error) bool {
	var l *local.Error
	return errors.As(err, &l) && (l.Code == local.CodeTimeout || l.Code == local.CodeUnreachable)
}

// nextPing says whether it is time for an echo.
func (m *Model) nextPing() action {
	p := &m.world.ping
	if !p.on || p.waiting || m.world.away != nil {
		return nil
	}
	p.waiting = true
	return sendPing{p.id}
}
