package server

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTheEndOfAStormIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		c := calm{tell: func() { told++ }}
		for range stormSize - 1 {
			c.note()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if told != 0 {
			t.Error("a few connections are no storm")
		}
		for range 100 {
			c.note()
			time.Sleep(calmAfter / 2)
			synctest.Wait()
		}
		if told != 0 {
			t.Error("told while it blows")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if told != 1 {
			t.Error("told", told, "times")
		}
		for range stormSize {
			c.note()
		}
		c.stop()
		time.Sleep(time.Hour)
		synctest.Wait()
		if told != 1 {
			t.Error("told after the end")
		}
	})
}
