package esp

import (
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/marks"
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
	sent       marks.Mark[mono.Time] // the latest packet of any kind
	received   marks.Mark[mono.Time]
	unanswered marks.Mark[mono.Time] // the first packet sent since anything was received; Never: there is none

	armed     atomic.Bool // the owner will look again by itself
	heard     marks.Mark[Source]
	announced marks.Mark[Source] // the Source that the owner has made an event of last
}

// send marks a packet sent. A dummy asks for no answer, but the owner does not call it.
func (a *activity) send(now mono.Time) {
	a.sent.Set(now)
	if a.unanswered.Get().IsNever() {
		a.unanswered.Set(now)
	}
}

// receive marks an authentic packet received. Dummies count: the peer lives.
func (a *activity) receive(now mono.Time) {
	a.received.Set(now)
	a.unanswered.Set(mono.Never)
}

func (a *activity) touched() mono.Time { return max(a.sent.Get(), a.received.Get()) }
