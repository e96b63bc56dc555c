package hub

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// How often a node may ask for a common start, and a pair have one.
const (
	punchEvery = time.Second / 5
	punchBurst = 5
	pairEvery  = time.Second
	maxPairs   = 64 // remembered for a node; with five a second that is more than can matter
	stale      = time.Second / 2
	maxWaiting = 512 // bytes of starts that wait for a busy stream
)

// punches is what a session has asked for and was asked for. The tenant's lock guards it. The zero value has seen nothing.
type punches struct {
	paid  time.Time                // when everything asked for has been earned
	pairs map[ident.Node]time.Time // when the last one with a peer was

	waiting []byte // frames for a busy stream
	since   time.Time
}

// allow notes a start with a peer unless it comes too early.
func (p *punches) allow(peer ident.Node, now time.Time) bool {
	if p.paid.Before(now) {
		p.paid = now
	}
	if p.paid.Sub(now) > (punchBurst-1)*punchEvery || now.Sub(p.pairs[peer]) < pairEvery {
		return false
	}
	p.paid = p.paid.Add(punchEvery)
	p.note(peer, now)
	return true
}

// note remembers a start with a peer, whoever has asked for it.
func (p *punches) note(peer ident.Node, now time.Time) {
	if p.pairs == nil || len(p.pairs) >= maxPairs {
		for id, at := range p.pairs {
			if now.Sub(at) >= pairEvery {
				delete(p.pairs, id)
			}
		}
		if p.pairs == nil || len(p.pairs) >= maxPairs {
			p.pairs = map[ident.Node]time.Time{}
		}
	}
	p.pairs[peer] = now
}

// punch tells a node and its peer to begin now, if both are here and see each other.
func (t *tenant) punch(n *session, m *pb.Punch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	peer := t.sessions[ident.Node(m.Peer)]
	if t.sessions[n.node] != n || peer == nil || peer == n || !t.view.Mutual(n.node, peer.node) {
		return
	}
	now := time.Now()
	if now.Sub(peer.punches.pairs[n.node]) < pairEvery || !n.punches.allow(peer.node, now) {
		return
	}
	peer.punches.note(n.node, now)
	t.begin(peer, n.node, m.Generation)
	t.begin(n, peer.node, m.Generation)
}

// begin tells one side at once or, if its stream is busy, as soon as the sender can. The lock is held.
func (t *tenant) begin(n *session, peer ident.Node, generation uint32) {
	b, err := control.AppendFrame(nil, &pb.Frame{Body: &pb.Frame_Punch{Punch: &pb.Punch{Peer: uint64(peer), Generation: generation}}})
	if err != nil || n.has == nil { // before its first map it knows nobody
		return
	}
	if len(n.punches.waiting) == 0 && n.stream.TrySend(b) == nil {
		return
	}
	if now := time.Now(); len(n.punches.waiting) == 0 || now.Sub(n.punches.since) > stale {
		n.punches.waiting, n.punches.since = nil, now
	}
	if len(n.punches.waiting) < maxWaiting {
		n.punches.waiting = append(n.punches.waiting, b...)
	}
	t.markLocked(n.node)
}

// due returns what waits to be told, unless it has waited for too long: a start that comes late is worse than none. The lock is held.
func (p *punches) due() []byte {
	if len(p.waiting) == 0 || time.Since(p.since) > stale {
		p.waiting = nil
	}
	b := p.waiting
	p.waiting = nil
	return b
}

// putBack takes what the stream did not: its next readiness is the next try. The lock is held.
func (p *punches) putBack(b []byte) { p.waiting = append(b, p.waiting...) }
