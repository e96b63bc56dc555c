package server

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheEndOfAStormIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int32
		c := calm{tell: func() { told.Add(1) }}
		for range stormSize - 1 {
			c.note()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if told.Load() != 0 {
			t.Error("a few connections are no storm")
		}
		for range 100 {
			c.note()
			time.Sleep(calmAfter / 2)
		}
		if told.Load() != 0 {
			t.Error("told while it blows")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if told.Load() != 1 {
			t.Error("told", told.Load(), "times")
		}
		for range stormSize {
			c.note()
		}
		c.stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		if told.Load() != 1 {
			t.Error("told after the end")
		}
	})
}
