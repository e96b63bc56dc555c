package session

import (
	"math/rand/v2"
	"time"
)

// Bounds of the waits between two attempts.
const (
	waitLeast = 200 * time.Millisecond
	waitMost  = 30 * time.Second
	// stable is how long a session must have lived for the next wait to start from the shortest again: a controller that accepts
	// and drops is not hammered.
	stable = 20 * time.Second
	// verdictLeast and verdictMost bound the waits after Removed and Cloned.
	verdictLeast = 5 * time.Minute
	verdictMost  = time.Hour
	// askedMost bounds what a controller may ask for.
	askedMost = time.Hour
)

// backoff decides how long to wait before the next attempt.
type backoff struct {
	failures int // in a row, since a session that lived
	verdicts int // in a row
	random   func(time.Duration) time.Duration
}

func newBackoff(random func(time.Duration) time.Duration) backoff {
	if random == nil {
		random = rand.N[time.Duration]
	}
	return backoff{random: random}
}

// next returns the wait after an ending; lived is how long the session had been welcomed for.
func (b *backoff) next(e ending, lived time.Duration) time.Duration {
	if e.verdict == Removed || e.verdict == Cloned {
		w := min(verdictMost, verdictLeast<<min(b.verdicts, 8))
		b.verdicts++
		return max(w, min(e.least, askedMost)) + b.random(w/4)
	}
	b.verdicts = 0
	if lived >= stable {
		b.failures = 0
	}
	b.failures++
	bound := min(waitMost, waitLeast<<min(b.failures, 16))
	w := waitLeast + b.random(bound-waitLeast)
	if e.least > 0 {
		asked := min(e.least, askedMost)
		w = max(w, asked+b.random(asked/2+waitLeast))
	}
	return w
}
