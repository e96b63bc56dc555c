package tui

import (
	"slices"
	"testing"
	"time"
)

// TestALateReadingIsNoBurst has a reading of twenty seconds ago come after newer ones, and then a counter that begins anew.
func TestALateReadingIsNoBurst(t *testing.T) {
	var m meter
	now := noon
	var rates []float64
	for _, rx := range []uint64{1000, 1100, 1200, 200, 1400, 1500, 10, 20, 30} {
		m.take(now, rx, 0)
		rates = append(rates, m.in)
		now = now.Add(time.Second)
	}
	if want := []float64{0, 100, 100, 100, 100, 100, 100, 100, 10}; !slices.Equal(rates, want) {
		t.Errorf("rates %v, want %v", rates, want)
	}
}
