package wg

import (
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/marks"
)

// activity is what workers tell the owner about one peer's traffic, across all its sessions. Workers write instants, the owner
// derives timers from them (§6.4 and §6.5): a timer that traffic keeps moving is never moved, only looked at when it would have
// fired.
//
// The hand-over cannot lose an edge. A worker writes its mark first and then reads armed; the owner clears armed first and then
// reads the marks. Whichever comes second sees the other. While armed, the owner looks again within KeepaliveTimeout, and
// nothing that a mark can start is due sooner than that.
type activity struct {
	sent     marks.Mark[mono.Time] // the latest authenticated packet of any kind
	received marks.Mark[mono.Time]

	unanswered marks.Mark[mono.Time] // the first data sent since anything was received; Never: there is none
	unacked    marks.Mark[mono.Time] // the first data received since anything was sent; Never: there is none
	lastData   marks.Mark[mono.Time] // the latest data received

	armed     atomic.Bool // the owner will look again by itself
	rekeying  atomic.Bool // the owner has a handshake under way or due
	heard     marks.Mark[Source]
	announced marks.Mark[Source] // the Source that the owner has made an event of last
}

// send marks an authenticated packet sent; data is false for keepalives and handshakes.
func (a *activity) send(now mono.Time, data bool) {
	a.sent.Set(now)
	a.unacked.Set(mono.Never)
	if data && a.unanswered.Get().IsNever() {
		a.unanswered.Set(now)
	}
}

// receive marks an authenticated packet received.
func (a *activity) receive(now mono.Time, data bool) {
	a.received.Set(now)
	a.unanswered.Set(mono.Never)
	if !data {
		return
	}
	a.lastData.Set(now)
	if a.unacked.Get().IsNever() {
		a.unacked.Set(now)
	}
}

// touched is when the peer was last sent or heard anything.
func (a *activity) touched() mono.Time { return max(a.sent.Get(), a.received.Get()) }
