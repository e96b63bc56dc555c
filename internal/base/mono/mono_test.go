package mono

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEarlierTreatsNeverAsInfinity(t *testing.T) {
	for _, c := range []struct{ a, b, want Time }{{Never, Never, Never}, {Never, 5, 5}, {5, Never, 5}, {3, 5, 3}, {5, 3, 3}} {
		if got := Earlier(c.a, c.b); got != c.want {
			t.Errorf("Earlier(%d, %d) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestTheClockIsTheBubbles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock()
		if c.Now().IsNever() {
			t.Fatal("a new clock tells Never")
		}
		end := c.Now().Add(time.Hour)
		time.Sleep(59 * time.Minute)
		if got := c.Until(end); got != time.Minute {
			t.Fatalf("Until = %v, want 1m", got)
		}
	})
}
