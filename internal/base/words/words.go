// Package words writes amounts and times as the program's faces show them.
package words

import (
	"fmt"
	"strconv"
	"time"
)

// Bytes writes an amount with a binary prefix: "1.2 MiB".
func Bytes(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	f, unit := float64(n)/1024, 0
	for f >= 1023.95 && unit < 5 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTPE"[unit])
}

// Count writes how many there are of what has a plural in s: "1 rule", "2 rules".
func Count[N ~int | ~uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Ago writes how long before now something was: "12s ago"; "" for the zero time.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	if d < time.Second {
		return "now"
	}
	return Span(d) + " ago"
}

// Until writes when something ends: "in 6d", "12s ago"; "never" for the zero time.
func Until(now, t time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case t.After(now):
		return "in " + Span(t.Sub(now))
	default:
		return Ago(now, t)
	}
}

// Ends writes the same as a sentence: "ends in 6d", "ended 12s ago".
func Ends(now, t time.Time) string {
	if t.IsZero() || t.After(now) {
		return "ends " + Until(now, t)
	}
	return "ended " + Ago(now, t)
}

// Span writes a duration in its largest unit, rounded: "12s", "5m", "3h", "6d".
func Span(d time.Duration) string {
	d = max(d, 0) // a clock was set back
	for _, u := range []struct {
		unit time.Duration
		most time.Duration // in units
		sign string
	}{{time.Second, 60, "s"}, {time.Minute, 60, "m"}, {time.Hour, 48, "h"}} {
		if n := d.Round(u.unit) / u.unit; n < u.most {
			return strconv.Itoa(int(n)) + u.sign
		}
	}
	return strconv.Itoa(int(d.Round(24*time.Hour)/(24*time.Hour))) + "d"
}
