package series

import (
	"fmt"
	"slices"
	"time"
)

// log is when each datagram was sent, and when it came back first. It is bounded by the time that a laboratory stands.
type log struct {
	sent, came     []time.Time // by number; the zero Time: it has not come
	arrived, twice int
	ended          time.Time // when no more was sent; zero before
}

func (l *log) send(now time.Time) {
	l.sent = append(l.sent, now)
	l.came = append(l.came, time.Time{})
}

func (l *log) come(number int, now time.Time) {
	switch {
	case number < 0 || number >= len(l.came):
	case !l.came[number].IsZero():
		l.twice++
	default:
		l.came[number] = now
		l.arrived++
	}
}

func (l *log) end(now time.Time) { l.ended = now }

// complete reports whether nothing more can come.
func (l *log) complete() bool { return !l.ended.IsZero() && l.arrived == len(l.sent) }

// Tally is what happened to a part of a series.
type Tally struct {
	Sent, Lost, Twice int
	// Silence is the longest time without an arrival until now, or until the series ended; Quiet is how long ago the last one was.
	Silence, Quiet time.Duration
}

func (t Tally) String() string {
	return fmt.Sprintf("%d sent, %d lost, %d came twice, longest silence %v", t.Sent, t.Lost, t.Twice, t.Silence.Round(time.Millisecond))
}

// tally tells of those sent at begin or later, and of the silences from then on. Those sent less than grace before now are not lost yet.
func (l *log) tally(begin, now time.Time, grace time.Duration) Tally {
	t := Tally{Twice: l.twice}
	if len(l.sent) == 0 {
		return t
	}
	last := l.sent[0]
	if begin.After(last) {
		last = begin
	}
	var arrivals []time.Time
	for i, at := range l.sent {
		came := l.came[i]
		if came.After(last) {
			arrivals = append(arrivals, came)
		}
		if at.Before(begin) {
			continue
		}
		t.Sent++
		if came.IsZero() && now.Sub(at) >= grace {
			t.Lost++
		}
	}
	slices.SortFunc(arrivals, time.Time.Compare)
	for _, at := range arrivals {
		t.Silence, last = max(t.Silence, at.Sub(last)), at
	}
	if !l.ended.IsZero() {
		now = l.ended
	}
	t.Quiet = max(0, now.Sub(last))
	t.Silence = max(t.Silence, t.Quiet)
	return t
}
