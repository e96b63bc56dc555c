package iox

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/words"
)

// Bytes writes an amount with a binary prefix: "1.2 MiB".
func Bytes(n uint64) string { return words.Bytes(n) }

// Ago writes how long before now something was: "12s ago"; "" for the zero time.
func Ago(now, t time.Time) string { return words.Ago(now, t) }

// Until writes when something ends: "in 6d", "12s ago"; "never" for the zero time.
func Until(now, t time.Time) string { return words.Until(now, t) }

// Ends writes the same as a sentence: "ends in 6d", "ended 12s ago".
func Ends(now, t time.Time) string { return words.Ends(now, t) }

// Span writes a duration in its largest unit, rounded: "12s", "5m", "3h", "6d".
func Span(d time.Duration) string { return words.Span(d) }

// maxSpan is the longest duration that people may write; sums within it do not overflow.
const maxSpan = 100 * 365 * 24 * time.Hour

// ParseSpan reads a duration as people write it: what time.ParseDuration reads, and days and weeks: "7d", "1w", "1d12h". It is
// never negative and at most 100 years.
func ParseSpan(s string) (time.Duration, error) {
	bad := fmt.Errorf("duration %.20q: write it like 90s, 30m, 12h, 7d or 2w", s)
	var total time.Duration
	rest := s
	for rest != "" {
		i := strings.IndexAny(rest, "dw")
		if i < 0 {
			d, err := time.ParseDuration(rest)
			if err != nil || d < 0 {
				return 0, bad
			}
			total += d
			break
		}
		n, err := strconv.ParseUint(rest[:i], 10, 12) // below 4096: no overflow
		if err != nil {
			return 0, bad
		}
		day := 24 * time.Hour
		if rest[i] == 'w' {
			day *= 7
		}
		if total += time.Duration(n) * day; total > maxSpan {
			return 0, bad
		}
		rest = rest[i+1:]
	}
	if s == "" || total < 0 || total > maxSpan {
		return 0, bad
	}
	return total, nil
}
