package stream

import (
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// deaf is a carrier whose peer takes nothing.
type deaf struct{ carrier }

func (deaf) Read([]byte) (int, error) { return 0, io.EOF }
func (deaf) finish(until time.Time)   { time.Sleep(time.Until(until)) }
func (deaf) abort()                   {}

// Who closes while another does waits for it, and not for a lock: that would stop the clock of a bubble.
func TestClosedByTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFramed(deaf{}, Info{}, 0)
		start := time.Now()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				s.Close()
				if d := time.Since(start); d != flush {
					t.Errorf("closed after %v, want %v", d, flush)
				}
			})
		}
		both.Wait()
	})
}
