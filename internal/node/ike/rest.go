package ike

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// rest keeps us from asking a peer that has refused, or that we do not believe, once more for every packet that wants to go there: whatever
// is wrong takes a person, or another map, to put right. Who is not there at all needs no rest: to find that out takes long enough.
type rest struct {
	until mono.Time
	next  time.Duration
}

const (
	firstRest   = 500 * time.Millisecond
	longestRest = 15 * time.Second
)

// longer begins a rest after another refusal, twice as long as the one before.
func (r *rest) longer(now mono.Time) {
	r.next = min(max(firstRest, 2*r.next), longestRest)
	r.until = now.Add(r.next)
}
