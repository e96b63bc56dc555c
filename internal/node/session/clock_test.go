package session

import (
	"testing"
	"time"
)

func TestClockTellsHowFarTheControllersIsAhead(t *testing.T) {
	here := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	c := NewClock(func() time.Time { return here }, time.Time{})
	if _, ok := c.Ahead(); ok {
		t.Fatal("nobody has told")
	}
	c.Learn(here.Add(-time.Minute), here.Add(time.Hour))
	if d, ok := c.Ahead(); !ok || d != -time.Minute {
		t.Fatal(d, ok)
	}
	if c.Learn(here.AddDate(5, 0, 0), here.Add(time.Hour)) {
		t.Fatal("a word about years ahead is believed")
	}
	if d, _ := c.Ahead(); d < 4*365*24*time.Hour {
		t.Fatal("but it is worth telling: ", d)
	}
}
