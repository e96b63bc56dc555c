package load

import (
	"math"
	"time"
)

const (
	// slot is how often a paced sender sends: short enough that what it sends at once fits the queue of a network device (500
	// packets) up to a million packets a second.
	slot = 500 * time.Microsecond
	// maxDebt is how late a sender may be and still catch up. What it could not send before that is never sent: a sender that was
	// kept from its processor must not make up for it by a burst that no network would carry.
	maxDebt = 20 * time.Millisecond
)

// pace says how many packets of a steady rate are due. A sender that is late catches up at twice its rate.
type pace struct {
	rate float64 // packets a second
	owed float64
	last time.Duration
}

// newPace begins with one packet that is due at once.
func newPace(rate float64) pace { return pace{rate: rate, owed: 1} }

// due returns how many packets to send now, which is the time since the start. It never goes back.
func (p *pace) due(now time.Duration) int {
	p.owed = min(p.owed+p.rate*(now-p.last).Seconds(), max(1, p.rate*maxDebt.Seconds()))
	p.last = now
	n := math.Floor(min(p.owed, max(1, 2*p.rate*slot.Seconds())))
	p.owed -= n
	return int(n)
}

// slotAfter is when the slot after that of now begins. A sender that needs longer than a slot does not rest.
func slotAfter(now time.Duration) time.Duration { return now - now%slot + slot }
