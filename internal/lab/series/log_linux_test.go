package series

import (
	"testing"
	"time"
)

// ms is an instant.
func ms(n int) time.Time { return time.UnixMilli(int64(n)) }

func TestATallyCountsWhatIsLostAndFindsTheLongestSilence(t *testing.T) {
	type pair struct{ sent, came int } // came 0: never
	for name, c := range map[string]struct {
		all        []pair
		begin, now int
		want       Tally
	}{
		"nothing":           {nil, 0, 100, Tally{}},
		"all came":          {[]pair{{10, 15}, {20, 25}, {30, 35}}, 0, 36, Tally{Sent: 3, Silence: 10 * time.Millisecond, Quiet: time.Millisecond}},
		"one is lost":       {[]pair{{10, 15}, {20, 0}, {30, 35}}, 0, 36, Tally{Sent: 3, Lost: 1, Silence: 20 * time.Millisecond, Quiet: time.Millisecond}},
		"one is under way":  {[]pair{{10, 15}, {20, 0}}, 0, 21, Tally{Sent: 2, Silence: 6 * time.Millisecond, Quiet: 6 * time.Millisecond}},
		"out of order":      {[]pair{{10, 40}, {20, 25}, {30, 35}}, 0, 41, Tally{Sent: 3, Silence: 15 * time.Millisecond, Quiet: time.Millisecond}},
		"only the last two": {[]pair{{10, 0}, {20, 25}, {30, 35}}, 20, 36, Tally{Sent: 2, Silence: 10 * time.Millisecond, Quiet: time.Millisecond}},
		"it is late":        {[]pair{{10, 90}, {20, 95}}, 0, 96, Tally{Sent: 2, Silence: 80 * time.Millisecond, Quiet: time.Millisecond}},
		"it stays away":     {[]pair{{10, 15}, {20, 0}, {30, 0}}, 18, 90, Tally{Sent: 2, Lost: 2, Silence: 72 * time.Millisecond, Quiet: 72 * time.Millisecond}},
		"before it began":   {[]pair{{10, 15}, {80, 85}}, 60, 86, Tally{Sent: 1, Silence: 25 * time.Millisecond, Quiet: time.Millisecond}},
		"nothing comes":     {[]pair{{10, 0}, {20, 0}}, 0, 60, Tally{Sent: 2, Lost: 2, Silence: 50 * time.Millisecond, Quiet: 50 * time.Millisecond}},
	} {
		var l log
		for _, p := range c.all {
			l.send(ms(p.sent))
		}
		for i, p := range c.all {
			if p.came != 0 {
				l.come(i, ms(p.came))
			}
		}
		l.come(len(c.all), ms(1)) // nobody sent it
		if got := l.tally(ms(c.begin), ms(c.now), 5*time.Millisecond); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	var l log
	l.send(ms(1))
	l.come(0, ms(2))
	l.come(0, ms(3))
	if got := l.tally(ms(0), ms(4), 0); got.Twice != 1 || got.Lost != 0 || l.complete() {
		t.Errorf("%+v", got)
	}
	l.end(ms(5))
	if got := l.tally(ms(0), ms(1000), 0); got.Silence != 3*time.Millisecond || !l.complete() {
		t.Errorf("after the end: %+v", got)
	}
}
