package trust

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/version"
)

// Clock tells the time that certificates are checked against. The system's clock alone would not do: machines wake in 1970 when
// their battery is flat, and have no network time before they have a network. The system's clock is never set by us.
type Clock struct {
	Local func() time.Time // nil: time.Now
	// Heard is the newest time that a controller has told over a verified stream, kept on disk; zero: never heard.
	Heard time.Time
}

// Now reads the clock: the latest of the local clock, the build's time and what was heard, all of which have surely passed.
func (c Clock) Now() Instant {
	local := time.Now
	if c.Local != nil {
		local = c.Local
	}
	i := Instant{Local: local()}
	i.At = i.Local
	for _, floor := range []time.Time{version.BuildTime(), c.Heard} {
		if floor.After(i.At) {
			i.At = floor
		}
	}
	return i
}

// Instant is one reading of a Clock.
type Instant struct {
	At    time.Time // what certificates are checked against
	Local time.Time // what the machine's own clock shows, for the person who has to set it
}

// raised returns the instant, or t if that is later.
func (i Instant) raised(t time.Time) Instant {
	if t.After(i.At) {
		i.At = t
	}
	return i
}
