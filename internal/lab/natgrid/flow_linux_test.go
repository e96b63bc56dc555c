package main

import (
	"strings"
	"testing"
	"time"
)

// at makes a flow whose answers came these many milliseconds ago.
func at(ago ...int) *flow {
	f := &flow{}
	for _, ms := range ago {
		f.arrived = append(f.arrived, time.Now().Add(-time.Duration(ms)*time.Millisecond))
	}
	return f
}

func TestTheLongestSilenceIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		f              *flow
		since          int // ms ago
		longest, quiet int
	}{
		"steady":                    {at(40, 30, 20, 10), 50, 10, 10},
		"a gap":                     {at(5000, 4990, 990, 980, 20), 4995, 4000, 20},
		"a gap before the event":    {at(5000, 1000, 510, 20), 500, 480, 20},
		"it has not come back":      {at(5000, 4000), 4500, 4000, 4000},
		"nothing since":             {at(5000), 3000, 3000, 3000},
		"nothing ever":              {at(), 3000, 3000, 3000},
		"the first answer was late": {at(100, 90), 2000, 1900, 90},
	} {
		longest, quiet := c.f.silence(time.Now().Add(-time.Duration(c.since) * time.Millisecond))
		near := func(d time.Duration, ms int) bool {
			off := d - time.Duration(ms)*time.Millisecond
			return -30*time.Millisecond < off && off < 200*time.Millisecond
		}
		if !near(longest, c.longest) || !near(quiet, c.quiet) {
			t.Errorf("%s: longest %v, quiet for %v; want about %d and %d ms", name, longest, quiet, c.longest, c.quiet)
		}
	}
}

func TestPercentilesAreOfTheTimesGiven(t *testing.T) {
	var all []time.Duration
	for i := range 20 {
		all = append(all, time.Duration(20-i)*time.Second)
	}
	if got := p95(all); got != 19*time.Second {
		t.Errorf("p95 of 1 to 20 is %v", got)
	}
	if got := median(all); got != 10*time.Second {
		t.Errorf("the median of 1 to 20 is %v", got)
	}
	if p95(nil) != 0 {
		t.Error("of nothing comes something")
	}
}

func TestThePageTellsEachOutcome(t *testing.T) {
	pairs, err := readPairs("none:none,none:sym,port:sym,sym:sym")
	if err != nil {
		t.Fatal(err)
	}
	r := report{version: "v", delay: 20 * time.Millisecond, runs: 2, pairs: pairs, grid: []*meeting{
		{tries: []trial{{first: 90 * time.Millisecond, direct: 50 * time.Millisecond}, {first: 90 * time.Millisecond, direct: 60 * time.Millisecond}}},
		{tries: []trial{{first: 90 * time.Millisecond, direct: 70 * time.Millisecond}, {first: 90 * time.Millisecond}}},
		{tries: []trial{{}, {}}},
		{tries: []trial{{first: time.Millisecond}, {first: time.Millisecond}}},
	}, events: []outage{{event: event{what: "it fell", goal: time.Second}, all: []time.Duration{time.Second, givenUp}, lost: 1}}}
	page := r.page()
	for _, want := range []string{"| 50 ms |", "| 1/2, 70 ms |", "| **nothing** |", "| *relay* |", "Direct: 2 of the 2", "0 of the 1 that need a guessed port", "| it fell | 1000 ms | 1 of 2 did not end within 20s | 1000 ms |"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}
