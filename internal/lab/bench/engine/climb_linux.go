package main

import "math"

// climb searches for the highest rate that a tunnel carries: up or down by a factor until one rate was carried and a higher one
// refused, then between the two.
type climb struct {
	guess   float64 // where to begin
	factor  float64 // above 1
	carried float64 // the highest that was; 0: none yet
	refused float64 // the lowest that was; 0: none yet
}

// next is the rate to try.
func (c *climb) next() float64 {
	switch {
	case c.carried == 0 && c.refused == 0:
		return c.guess
	case c.refused == 0:
		return c.carried * c.factor
	case c.carried == 0:
		return c.refused / c.factor
	}
	return math.Sqrt(c.carried * c.refused)
}

// tell takes the outcome of what next returned.
func (c *climb) tell(rate float64, carried bool) {
	if carried {
		c.carried = rate
	} else {
		c.refused = rate
	}
}
