package esp

import (
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Source names a place that datagrams come from; 0 is none. Equal places have equal names.
type Source uint64

// activity is what workers tell the owner about one peer's traffic, across all its pairs. Workers write instants, the owner derives timers
// from them: a timer that traffic keeps moving is never moved, only looked at when it would have fired.
//
// The hand-over cannot lose an edge. A worker writes its mark first and then reads armed; the owner clears armed first and then reads the
// marks. Whichever comes second sees the other. While armed, the owner looks again within silence, and nothing that a mark can start is
// due sooner than that.
type activity struct {
	sent       atomicTime // the latest packet of any kind
	received   atomicTime
	unanswered atomicTime // the first packet sent since anything was received; Never: there is none

	armed     atomic.Bool // the owner will look again by itself
	heard     atomicSource
	announced atomicSource // the Source that the owner has made an event of last
}

// send marks a packet sent. A dummy asks for no answer, but the owner does not call it.
func (a *activity) send(now mono.Time) {
	a.sent.set(now)
	if a.unanswered.get().IsNever() {
		a.unanswered.set(now)
	}
}

// receive marks an authentic packet received. Dummies count: the peer lives.
func (a *activity) receive(now mono.Time) {
	a.received.set(now)
	a.unanswered.set(mono.Never)
}

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
