package forward

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// hearing divides what a worker passes on to the owner among those who ask, because asking costs next to nothing, and the owner is one for all. In a
// round the first half of the frames is for whoever comes first. Of the other half, every tenant that asks may have the same part; the relays of the region
// are one more. Hence a tenant that floods takes from the others what they do not need.
type hearing struct {
	round  uint32 // its number
	ends   mono.Time
	first  int // frames that have been passed on of the first half
	asking int // tenants that have asked in this round,
	before int // and in the one before
	relays asked
}

// asked is what a tenant has had of the second half of a round.
type asked struct {
	round uint32
	had   uint32
}

const (
	hearingTime = 100 * time.Millisecond
	hearingHalf = controlRate / 2 * int(hearingTime/time.Millisecond) / 1000
)

// pass reports whether a frame that costs as much as n may go on to the owner, and charges who sent it.
func (h *hearing) pass(now mono.Time, who *asked, n int) bool {
	if now >= h.ends {
		h.turn(now)
	}
	if who.round != h.round {
		*who = asked{round: h.round}
		h.asking++
	}
	if h.first < hearingHalf {
		h.first += n
		return true
	}
	if int(who.had) >= hearingHalf/max(h.asking, h.before) {
		return false
	}
	who.had += uint32(n)
	return true
}

// turn begins a new round.
func (h *hearing) turn(now mono.Time) {
	h.before = h.asking
	if now.Sub(h.ends) >= hearingTime {
		h.before = 0
	}
	h.round++
	h.first, h.asking, h.ends = 0, 0, now.Add(hearingTime)
}
