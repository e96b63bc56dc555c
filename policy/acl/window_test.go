package acl

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Weeks are walked minute by minute over both leaps of a zone's clock, and compared: one that leaps in the night of a Sunday, one on the other half of the
// world that leaps at midnight, so that a day has none, one that leaps by half an hour, and one far enough east that its days are not those of UTC.
func TestNextFindsEveryChange(t *testing.T) {
	for name, weeks := range map[string][]string{
		"Europe/Berlin":       {"2026-03-24", "2026-10-20"},
		"America/Santiago":    {"2026-03-31", "2026-09-01"},
		"Australia/Lord_Howe": {"2026-03-31", "2026-09-29"},
		"Pacific/Auckland":    {"2026-03-31", "2026-09-22"},
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip("no time zones here")
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 30 {
			w := &Window{Zone: zone}
			for d := range w.Days {
				w.Days[d] = r.IntN(2) == 0
			}
			for range r.IntN(3) {
				a, b := r.IntN(day), 1+r.IntN(day)
				if r.IntN(3) == 0 {
					a, b = r.IntN(180), 1+r.IntN(210)
				}
				if a != b {
					w.Hours = append(w.Hours, Hours{a, b})
				}
			}
			for _, week := range weeks {
				from, err := time.Parse(time.DateOnly, week)
				if err != nil {
					t.Fatal(err)
				}
				walk(t, w, from)
			}
		}
	}
}

// walk compares what a window says of its next change with each minute of ten days, in which the clock leaps.
func walk(t *testing.T, w *Window, from time.Time) {
	t.Helper()
	if _, leap := from.In(w.Zone).ZoneBounds(); leap.Sub(from) > 9*day*time.Minute {
		t.Fatalf("the clock of %v does not leap after %v", w.Zone, from)
	}
	next, was := w.Next(from), w.Active(from)
	for m := 1; m < 10*day; m++ {
		now := from.Add(time.Duration(m) * time.Minute)
		is := w.Active(now)
		if is != was != next.Equal(now) {
			t.Fatalf("%v: at %v active=%v, before %v, next was %v", w, now.In(w.Zone), is, was, next)
		}
		if was = is; next.Equal(now) {
			next = w.Next(now)
		}
	}
}

func TestNightBelongsToTheDayItBegins(t *testing.T) {
	w := &Window{Zone: time.UTC, Hours: []Hours{{22 * 60, 6 * 60}}}
	w.Days[time.Friday] = true
	for at, want := range map[string]bool{
		"2026-11-27T21:59:00Z": false, "2026-11-27T22:00:00Z": true, "2026-11-28T05:59:59Z": true, "2026-11-28T06:00:00Z": false,
		"2026-11-28T23:00:00Z": false, "2026-11-27T05:00:00Z": false,
	} {
		now, _ := time.Parse(time.RFC3339, at)
		if w.Active(now) != want {
			t.Errorf("%s: active is %v", at, !want)
		}
	}
}

func TestAlwaysNeverChanges(t *testing.T) {
	w := &Window{Days: [7]bool{true, true, true, true, true, true, true}, Zone: time.UTC}
	if next := w.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); !next.IsZero() {
		t.Error(next)
	}
}

func TestVersionsCompareAsPeopleDo(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"1.9", "1.10", -1}, {"10.0.22631", "10.0.9", 1}, {"14", "14", 0}, {"14", "14.1", -1}, {"007", "7", 0}, {"1.2-rc1", "1.2-rc2", -1}, {"", "1", -1}} {
		if got := compareVersions(c.a, c.b); got < 0 != (c.want < 0) || got > 0 != (c.want > 0) {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
