package main

import (
	"math"
	"testing"
)

func TestClimbEndsJustBelowTheTop(t *testing.T) {
	for _, top := range []float64{3_000, 63_999, 64_001, 71_234, 900_000} {
		c := climb{guess: 64_000, factor: 2}
		for range 12 {
			rate := c.next()
			c.tell(rate, rate <= top)
		}
		if c.carried > top || c.refused <= top || c.refused/c.carried > 1.02 {
			t.Errorf("top %v: between %v and %v", top, c.carried, c.refused)
		}
	}
}

func TestSixStepsFromAGoodGuessAreEnough(t *testing.T) {
	for _, top := range []float64{60_000, 70_000, 85_000} {
		c := climb{guess: 70_000, factor: 1.2}
		for range steps {
			rate := c.next()
			c.tell(rate, rate <= top)
		}
		if math.Abs(c.carried/top-1) > 0.03 {
			t.Errorf("top %v: %v was carried", top, c.carried)
		}
	}
}
