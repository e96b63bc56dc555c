package quicx

import (
	"net"
	"sync"
	"time"
)

// rate counts events against a budget a second, with a second's worth of burst.
type rate struct {
	mu     sync.Mutex
	budget float64
	left   float64
	at     time.Time
}

func newRate(perSecond int) *rate {
	return &rate{budget: float64(perSecond), left: float64(perSecond), at: time.Now()}
}

// exceeded takes one from the budget and reports whether there was none. The address does not matter: before it is proven it is
// whatever an attacker writes.
func (r *rate) exceeded(net.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.left = min(r.budget, r.left+r.budget*now.Sub(r.at).Seconds())
	r.at = now
	if r.left < 1 {
		return true
	}
	r.left--
	return false
}
