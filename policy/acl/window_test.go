package acl

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestNextFindsEveryChange walks weeks minute by minute, over both leaps of Berlin's clock, and compares.
func TestNextFindsEveryChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		w := &Window{Zone: berlin}
		for d := range w.Days {
			w.Days[d] = r.IntN(2) == 0
		}
		for range r.IntN(3) {
			a, b := r.IntN(day), 1+r.IntN(day)
			if r.IntN(3) == 0 {
				a, b = 120+r.IntN(60), 120+r.IntN(90)
			}
			if a != b {
				w.Hours = append(w.Hours, Hours{a, b})
			}
		}
		for _, from := range []time.Time{
			time.Date(2026, 3, 24, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC),
		} {
			next := w.Next(from)
			for m := 1; m < 10*day; m++ {
				now := from.Add(time.Duration(m) * time.Minute)
				changed := w.Active(now) != w.Active(now.Add(-time.Minute))
				if changed != next.Equal(now) {
					t.Fatalf("%v: at %v changed=%v, next was %v", w, now.In(berlin), changed, next)
				}
				if changed {
					next = w.Next(now)
				}
			}
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
