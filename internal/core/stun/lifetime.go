package stun

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// rungs are the times that are tried. The longest leaves room for keepalives of a hundred seconds, and nobody needs more.
var rungs = [...]time.Duration{10 * time.Second, 12 * time.Second, 15 * time.Second, 20 * time.Second, 25 * time.Second, 40 * time.Second, 60 * time.Second, 90 * time.Second, 130 * time.Second}

// firstRung is what nearly every NAT keeps, and what is taken for granted until it was tried.
const firstRung = 4

// Times of a Lifetime.
const (
	lifetimeSettle = time.Minute      // after the network has changed
	lifetimeAgain  = 10 * time.Minute // after a trial that told nothing
	lifetimeCheck  = time.Hour        // between two rounds
)

// Lifetime finds out for how long the NAT keeps idle mappings, one Trial after the other: first whether as long as nearly all do, then longer and longer or
// shorter and shorter. Once an hour it finds out whether that still holds, and whether more does. The zero Lifetime waits for Moved. It is not safe for
// concurrent use.
type Lifetime struct {
	lives, dies int  // rungs, from 1: the longest that has lived, the shortest that has died; 0: none has
	sure        bool // lives was tried in this round
	trying      int  // from 1; 0: none
	next        mono.Time
}

// Known is for how long mappings live at least; 0: that is not known. What is shorter than all that has died, and has not been tried yet, is believed only if nearly
// all NATs keep to it.
func (l *Lifetime) Known() time.Duration {
	switch {
	case l.lives > 0:
		return rungs[l.lives-1]
	case l.dies > 0:
		return rungs[min(max(l.dies-2, 0), firstRung)]
	}
	return 0
}

// Moved forgets everything: the network is another. spread is up to a minute more, so that not everybody tries at once.
func (l *Lifetime) Moved(now mono.Time, spread time.Duration) {
	*l = Lifetime{next: now.Add(lifetimeSettle + spread)}
}

// Forgot says that a mapping was lost that had been idle for less than thought: what has lived counts no more.
func (l *Lifetime) Forgot(now mono.Time) {
	dies := firstRung + 1
	switch {
	case l.lives > 0:
		dies = min(l.lives, dies)
	case l.dies > 0:
		dies = min(max(l.dies-1, 1), dies)
	}
	*l = Lifetime{dies: dies, next: now.Add(lifetimeSettle)}
}

// Deadline is when the next trial may begin; Never while one is under way.
func (l *Lifetime) Deadline() mono.Time {
	if l.trying > 0 {
		return mono.Never
	}
	return l.next
}

// Begin returns the time of the trial that begins now; 0: none is due.
func (l *Lifetime) Begin(now mono.Time) time.Duration {
	if l.trying > 0 || l.next.IsNever() || now.Before(l.next) {
		return 0
	}
	switch {
	case l.lives == 0 && l.dies == 0:
		l.trying = firstRung + 1
	case l.lives == 0:
		l.trying = max(l.dies-1, 1)
	case l.sure && l.lives < len(rungs):
		l.trying = l.lives + 1
	default:
		l.trying = l.lives
	}
	return rungs[l.trying-1]
}

// Ended takes what the trial has found out; it reports whether Known is another now.
func (l *Lifetime) Ended(now mono.Time, v Verdict) (changed bool) {
	was, rung := l.Known(), l.trying
	if rung == 0 {
		return false
	}
	l.trying, l.next = 0, now
	switch v {
	case Lives:
		l.lives, l.sure = rung, true
		if l.dies <= rung {
			l.dies = 0
		}
	case Dies:
		if l.dies = rung; l.lives >= rung {
			l.lives = 0
		}
	case Unable:
		l.next = now.Add(lifetimeCheck) // by another server
		return false
	default:
		l.next = now.Add(lifetimeAgain)
		return false
	}
	if l.lives == len(rungs) || l.dies == l.lives+1 {
		l.sure, l.next = false, now.Add(lifetimeCheck)
		if l.lives > 0 {
			l.dies = 0 // it may do some day
		}
	}
	return l.Known() != was
}
