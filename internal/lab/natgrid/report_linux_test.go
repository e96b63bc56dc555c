package main

import (
	"strings"
	"testing"
	"time"
)

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
