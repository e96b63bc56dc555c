package words

import (
	"testing"
	"time"
)

func TestAmountsAndTimesAreShort(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for got, want := range map[string]string{
		Bytes(1023): "1023 B", Bytes(1 << 20): "1.0 MiB", Bytes(1<<64 - 1): "16.0 EiB",
		Ago(now, now.Add(-59*time.Second)): "59s ago", Ago(now, now.Add(time.Hour)): "now", Ago(now, time.Time{}): "",
		Count(0, "rule"): "0 rules", Count(uint64(1), "rule"): "1 rule", Count(1<<40, "rule"): "1099511627776 rules",
		Until(now, time.Time{}): "never", Until(now, now.Add(48*time.Hour)): "in 2d", Span(0): "0s",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWhatEndsIsASentence(t *testing.T) {
	now := time.Unix(1e9, 0)
	for want, end := range map[string]time.Time{"ends in 6d": now.Add(6 * 24 * time.Hour), "ended 2d ago": now.Add(-48 * time.Hour), "ends never": {}} {
		if got := Ends(now, end); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
