// Package mono holds the instant that every pure core takes as an argument: eight bytes, monotonic, without a clock.
//
// Cores never ask what time it is. The shell that owns a core reads its own clock once and passes the result down, so that the
// same inputs give the same events and a test can live through a week in a millisecond.
package mono

import "time"

// Time is an instant in nanoseconds since an arbitrary start that is fixed for the life of a process.
// The zero Time means "never" where a deadline is asked for.
type Time int64

// Never is the deadline of something that wakes only on input.
const Never Time = 0

// Add returns t moved by d, which may be negative.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns how long t is after u; negative if it is before.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Before reports whether t comes before u. A deadline of Never is asked about with IsNever, not with Before.
func (t Time) Before(u Time) bool { return t < u }

// IsNever reports whether t is no instant at all.
func (t Time) IsNever() bool { return t == Never }

// Earlier returns the sooner of two deadlines, of which either may be Never.
func Earlier(a, b Time) Time {
	switch {
	case a.IsNever():
		return b
	case b.IsNever() || a < b:
		return a
	default:
		return b
	}
}

// Clock turns the monotonic clock of the standard library into Times. The zero Clock is not usable; start one with NewClock.
type Clock struct{ start time.Time }

// NewClock starts a clock at 1 ns, so that no instant that it tells is Never.
func NewClock() Clock { return Clock{start: time.Now()} }

// Now tells the time. Inside a testing/synctest bubble it tells the bubble's.
func (c Clock) Now() Time { return Time(time.Since(c.start)) + 1 }

// Until returns how long from now to wait for deadline t: 0 if it has passed.
// A deadline of Never is the caller's to handle: there is no such wait.
func (c Clock) Until(t Time) time.Duration { return max(0, t.Sub(c.Now())) }
