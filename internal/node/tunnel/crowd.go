package tunnel

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// A flood of handshakes comes as a rule from few addresses. While a transport asks strangers to prove theirs, no address may give the owner
// more than this; what is beyond costs a worker one look into a table. That is far more than a transport then accepts from one address,
// even of a site with many nodes behind it.
const (
	crowdMemory = time.Second // how long a tunnel stays on guard after the last challenge
	shareEvery  = 10 * time.Millisecond
	shareBurst  = 50
	shares      = 1024 // places in a worker's table
)

// crowd says whether there are too many control messages.
type crowd struct {
	until *atomic.Int64 // the instant up to which a tunnel is on guard
}

func newCrowd() crowd { return crowd{new(atomic.Int64)} }

// watch learns from what became of a message.
func (c crowd) watch(now mono.Time, why Reason) {
	if why == Challenged || why == Paced {
		c.until.Store(int64(now.Add(crowdMemory)))
	}
}

// sharing is one worker's account of who has sent how many messages; the zero sharing is ready. Each entry is the instant at which
// everything allowed so far would have been due, had it come at the exact rate.
type sharing [shares]mono.Time

// allows reports whether one more message from an address may be handed on.
func (s *sharing) allows(now mono.Time, c crowd, seed maphash.Seed, from netip.Addr) bool {
	if now >= mono.Time(c.until.Load()) {
		return true
	}
	if from.Is6() {
		if site, err := from.Prefix(64); err == nil {
			from = site.Addr()
		}
	}
	due := &s[maphash.Comparable(seed, from)%shares]
	at := max(*due, now)
	if at.Sub(now) > shareEvery*(shareBurst-1) {
		return false
	}
	*due = at.Add(shareEvery)
	return true
}
