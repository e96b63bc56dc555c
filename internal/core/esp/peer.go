package esp

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
)

// peer is a machine's state of one peer.
type peer struct {
	agenda.Slot
	name      key.WGPublic
	pairs     []holding // in the order in which they were installed
	current   *Pair     // what seals; nil: nothing
	activity  *activity
	keepalive time.Duration
	since     mono.Time // when it was put, or sent a dummy last
	looked    mono.Time // when the owner last read the marks of workers
}

// holding is a pair and what a machine has in mind with it.
type holding struct {
	*Pair
	replaces SPI       // the peer deletes that one when it has this
	switchAt mono.Time // it seals from then on, though it was not heard used; Never: it has been current
	retireAt mono.Time // it was deleted, and ends then; Never: it was not
	sayAt    mono.Time // EventDue is repeated; Never: it has not been said
}

// accept ends the wait for the peer to use it.
func (h *holding) accept() {
	h.switchAt = mono.Never
	h.waits.Store(false)
}

// holds finds what a peer has in mind with a pair; nil: it is not there.
func (p *peer) holds(pair *Pair) *holding {
	for i := range p.pairs {
		if p.pairs[i].Pair == pair {
			return &p.pairs[i]
		}
	}
	return nil
}

// newest is the last pair that may become current; nil: there is none. One that the peer may not have yet comes after all others.
func (p *peer) newest() (best *holding) {
	for i := range p.pairs {
		h := &p.pairs[i]
		if h.retireAt.IsNever() && (best == nil || h.switchAt.IsNever() || !best.switchAt.IsNever()) {
			best = h
		}
	}
	return best
}

// waits reports whether a pair of the peer's waits to be heard used.
func (p *peer) waits() bool {
	for i := range p.pairs {
		if !p.pairs[i].switchAt.IsNever() && p.pairs[i].retireAt.IsNever() {
			return true
		}
	}
	return false
}

// later reports whether pair a was installed after b.
func (p *peer) later(a, b *Pair) bool {
	for i := range p.pairs {
		switch p.pairs[i].Pair {
		case a:
			return false
		case b:
			return true
		}
	}
	return false
}

// Status is what can be told of a pair, for people.
type Status struct {
	*Pair
	Sealing        bool      // packets leave with it
	Waiting        bool      // it has not been heard used
	Ending         bool      // it was deleted, and lingers
	Due, Ends      mono.Time // when a successor is wanted, and when it ends, by age
	Sent, Received uint64    // packets: those numbered, and the highest number received
}

// Status tells about a peer's pairs, in the order in which they were installed.
func (m *Machine) Status(name key.WGPublic) (all []Status) {
	p := m.peers[name]
	if p == nil {
		return nil
	}
	for i := range p.pairs {
		h := &p.pairs[i]
		all = append(all, Status{
			Pair: h.Pair, Sealing: h.Pair == p.current, Waiting: !h.switchAt.IsNever(), Ending: !h.retireAt.IsNever(),
			Due: h.Pair.due, Ends: h.dies, Sent: h.last(), Received: h.top.Load(),
		})
	}
	return all
}
