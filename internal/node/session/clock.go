package session

import (
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/trust"
)

// Clock tells the time that this node believes: never earlier than its build, nor than what a controller has told plus what has
// passed since. It may be used from any goroutine; one is shared by all that concerns a membership.
type Clock struct {
	local func() time.Time

	mu    sync.Mutex
	heard time.Time     // without a monotonic reading
	ahead time.Duration // the controller's clock less ours, when it last told the time
	told  time.Time     // what it told then; zero: nothing yet
	at    time.Time     // our own clock at that moment
	since time.Time     // the same for heard, for the time that has passed
}

// NewClock starts from what was heard and kept before; zero: nothing. A nil local is time.Now.
func NewClock(local func() time.Time, heard time.Time) *Clock {
	if local == nil {
		local = time.Now
	}
	return &Clock{local: local, heard: heard.Round(0), since: time.Now()}
}

// Instant is one reading, for checks of certificates.
func (c *Clock) Instant() trust.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	floor := c.heard
	if !floor.IsZero() {
		floor = floor.Add(time.Since(c.since)) // monotonic, whatever the wall clock does
	}
	return trust.Clock{Local: c.local, Heard: floor}.Now()
}

// Now is the time believed.
func (c *Clock) Now() time.Time { return c.Instant().At }

// Learn takes a controller's word for what time it is. bound is the end of the node's own certificate: a controller whose clock runs
// years ahead must not make this node throw its certificate away, so such a word is not taken and Learn reports false.
func (c *Clock) Learn(t, bound time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.told, c.at = t.Sub(c.local()), t.Round(0), time.Now()
	if t.After(bound) {
		return false
	}
	if t.After(c.heard) {
		c.heard, c.since = t.Round(0), time.Now()
	}
	return true
}

// Ahead is the controller's clock less ours, late by the way from there; false: it has not told the time. It is the lesser of what was so when it last told the time,
// because a machine that has slept since does not know for how long, and of what is so now, because the clock may have been set since.
func (c *Clock) Ahead() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.told.Add(time.Since(c.at)).Sub(c.local())
	if c.told.IsZero() || now.Abs() > c.ahead.Abs() {
		return c.ahead, !c.told.IsZero()
	}
	return now, true
}

// Heard is what to keep for the next start; zero if no controller was ever heard.
func (c *Clock) Heard() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}
