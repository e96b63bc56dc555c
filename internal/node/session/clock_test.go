package session

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestClockTellsHowFarTheControllersIsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off time.Duration
		local := func() time.Time { return time.Now().Add(off) }
		c := NewClock(local, time.Time{})
		if _, ok := c.Ahead(); ok {
			t.Fatal("nobody has told")
		}
		c.Learn(local().Add(-time.Minute), local().Add(time.Hour))
		if d, ok := c.Ahead(); !ok || d != -time.Minute {
			t.Fatal(d, ok)
		}
		off = -time.Minute
		if d, _ := c.Ahead(); d != 0 {
			t.Error("the clock was set right:", d)
		}
		if c.Learn(local().AddDate(5, 0, 0), local().Add(time.Hour)) {
			t.Fatal("a word about years ahead is believed")
		}
		if d, _ := c.Ahead(); d < 4*365*24*time.Hour {
			t.Error("but it is worth telling:", d)
		}
		c.Learn(local(), local().Add(time.Hour))
		off += 8 * time.Hour // the machine sleeps, and the clock that measures what has passed sleeps as well
		if d, _ := c.Ahead(); d != 0 {
			t.Error("after a sleep:", d)
		}
	})
}
