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
)

// punches is what a session has asked for and was asked for. The tenant's lock guards it. The zero value has seen nothing.
type punches struct {
	paid  time.Time                // when everything asked for has been earned
	pairs map[ident.Node]time.Time // when the last one with a peer was
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

// punch tells a node and its peer to begin now, if both are here and see each other. What a busy stream does not take is lost:
// a start that comes late is worse than none.
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
	peer.punched(n.node, m.Generation)
	n.punched(peer.node, m.Generation)
}

func (n *session) punched(peer ident.Node, generation uint32) {
	select {
	case <-n.welcomed:
	default:
		return // nothing may be said before Welcome
	}
	b, err := control.AppendFrame(nil, &pb.Frame{Body: &pb.Frame_Punch{Punch: &pb.Punch{Peer: uint64(peer), Generation: generation}}})
	if err == nil {
		_ = n.stream.TrySend(b)
	}
}
