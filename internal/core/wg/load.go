package wg

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// pace is a rate limit in eight bytes (the generic cell rate algorithm): the instant at which everything allowed so far would
// have been due, had it come at the exact rate. The zero pace is unused.
type pace mono.Time

// allow reports whether one more event is within the rate of one in every, with bursts of burst, and counts it if so.
func (p *pace) allow(now mono.Time, every time.Duration, burst int) bool {
	due := max(mono.Time(*p), now)
	if due.Sub(now) > every*time.Duration(burst-1) {
		return false
	}
	*p = pace(due.Add(every))
	return true
}

// load tells when handshakes come faster than the machine is meant to work, and keeps sources apart while they do.
type load struct {
	every   time.Duration // the budget: one handshake message in this time
	burst   int
	arrived pace
	until   mono.Time // under load before this
	sources []pace    // made on first use; nil again when the load is over
}

func newLoad(perSecond int) load {
	return load{every: time.Second / time.Duration(perSecond), burst: perSecond}
}

// arrive counts a message and reports whether the machine is under load.
func (l *load) arrive(now mono.Time) bool {
	if !l.arrived.allow(now, l.every, l.burst) {
		l.press(now)
	}
	if now.Before(l.until) {
		return true
	}
	l.sources = nil
	return false
}

func (l *load) press(now mono.Time) { l.until = now.Add(loadMemory) }

// fair reports whether the reachable source ip, whose bucket is given, may start one more handshake while there is load.
func (l *load) fair(now mono.Time, bucket uint64) bool {
	if l.sources == nil {
		l.sources = make([]pace, sourceBuckets)
	}
	return l.sources[bucket%sourceBuckets].allow(now, sourceEvery, sourceBurst)
}

// Origin is where a handshake message came from.
type Origin struct {
	// Source is the path layer's own name for it. It comes back in answers and in EventHeard.
	Source Source
	// Addr is what a cookie is bound to: the sender's address, or for a relayed message any address that stands for the sender.
	Addr netip.AddrPort
}

// Source names a way to a peer. It is opaque here: compared for equality, never looked into. The zero Source means that the
// path layer shall choose.
type Source uint64
