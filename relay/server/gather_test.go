package server

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// looks has a worker find n messages in each look, one look every gap, and returns in how many of the last looks it would have napped.
func looks(g *gather, now *mono.Time, gap time.Duration, n, times int) (naps int) {
	for i := range times {
		*now = now.Add(gap)
		if g.count(*now, n) && i >= times/2 {
			naps++
		}
	}
	return naps
}

func TestAWorkerNapsOnlyWherePacketsAreDense(t *testing.T) {
	for _, c := range []struct {
		what string
		gap  time.Duration
		n    int
		naps bool
	}{
		{"20,000 a second, one by one", 50 * time.Microsecond, 1, false},
		{"70,000 a second, some together", 100 * time.Microsecond, 7, false},
		{"90,000 a second, some together", 100 * time.Microsecond, 9, true},
		{"230,000 a second, one by one", 4 * time.Microsecond, 1, true},
		{"as many as a look finds: more are waiting", 100 * time.Microsecond, sock.Batch, false},
		{"a full look once in a while", 10 * time.Millisecond, sock.Batch, false},
	} {
		var g gather
		now := mono.Time(0).Add(time.Second)
		if got := looks(&g, &now, c.gap, c.n, 2000); (got == 1000) != c.naps || got != 0 && got != 1000 {
			t.Errorf("%s: %d naps in 1000 looks", c.what, got)
		}
	}
}

// What comes after a silence is not dense because something was before.
func TestAWorkerIsAwakeAfterASilence(t *testing.T) {
	var g gather
	now := mono.Time(0).Add(time.Second)
	if looks(&g, &now, 10*time.Microsecond, 4, 1000) != 500 {
		t.Fatal("no naps where packets are dense")
	}
	if looks(&g, &now, time.Second, 1, 2) != 0 {
		t.Error("a nap after a silence of a second")
	}
}
