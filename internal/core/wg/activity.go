package wg

import (
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// activity is what workers tell the owner about one peer's traffic, across all its sessions. Workers write instants, the owner
// derives timers from them (§6.4 and §6.5): a timer that traffic keeps moving is never moved, only looked at when it would have
// fired.
//
// The hand-over cannot lose an edge. A worker writes its mark first and then reads armed; the owner clears armed first and then
// reads the marks. Whichever comes second sees the other. While armed, the owner looks again within KeepaliveTimeout, and
// nothing that a mark can start is due sooner than that.
type activity struct {
	sent     atomicTime // the latest authenticated packet of any kind
	received atomicTime

	unanswered atomicTime // the first data sent since anything was received; Never: there is none
	unacked    atomicTime // the first data received since anything was sent; Never: there is none
	lastData   atomicTime // the latest data received

	armed     atomic.Bool // the owner will look again by itself
	rekeying  atomic.Bool // the owner has a handshake under way or due
	heard     atomicSource
	announced atomicSource // the Source that the owner has made an event of last
}

// send marks an authenticated packet sent; data is false for keepalives and handshakes.
func (a *activity) send(now mono.Time, data bool) {
	a.sent.set(now)
	a.unacked.set(mono.Never)
	if data && a.unanswered.get().IsNever() {
		a.unanswered.set(now)
	}
}

// receive marks an authenticated packet received.
func (a *activity) receive(now mono.Time, data bool) {
	a.received.set(now)
	a.unanswered.set(mono.Never)
	if !data {
		return
	}
	a.lastData.set(now)
	if a.unacked.get().IsNever() {
		a.unacked.set(now)
	}
}

// touched is when the peer was last sent or heard anything.
func (a *activity) touched() mono.Time { return max(a.sent.get(), a.received.get()) }

// atomicTime writes only what changes, because a line that two workers read is cheap and one that both write is not.
type atomicTime struct{ v atomic.Int64 }

func (t *atomicTime) get() mono.Time { return mono.Time(t.v.Load()) }

func (t *atomicTime) set(to mono.Time) {
	if t.v.Load() != int64(to) {
		t.v.Store(int64(to))
	}
}

type atomicSource struct{ v atomic.Uint64 }

func (s *atomicSource) get() Source { return Source(s.v.Load()) }

func (s *atomicSource) set(to Source) {
	if s.v.Load() != uint64(to) {
		s.v.Store(uint64(to))
	}
}
