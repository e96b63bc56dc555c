package osnet

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// feed is news as a test tells them.
type feed struct {
	news  chan error
	ended chan struct{}
}

func (f feed) next() error {
	select {
	case err := <-f.news:
		return err
	case <-f.ended:
		return net.ErrClosed
	}
}

func (f feed) close() error { close(f.ended); return nil }

func TestChangesInQuickSuccessionAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := feed{make(chan error), make(chan struct{})}
		told := settle(ctx, f, slog.New(slog.DiscardHandler))
		start := time.Now()
		for range 3 {
			f.news <- nil
			time.Sleep(quiet/2 - 1)
		}
		if <-told; time.Since(start) != 3*(quiet/2-1) {
			t.Errorf("waited until %v", time.Since(start))
		}
		time.Sleep(time.Minute)
		if len(told) != 0 {
			t.Error("told twice")
		}
		start = time.Now()
		f.news <- nil
		if <-told; time.Since(start) != quiet {
			t.Errorf("told after %v, want %v", time.Since(start), quiet)
		}
		f.news <- errors.New("too much has happened") // what was missed is a change, too
		<-told
		for range 2 { // a reader who is slow
			f.news <- nil
			time.Sleep(time.Minute)
		}
		if len(told) != 1 {
			t.Errorf("%d tellings wait, want 1", len(told))
		}
		cancel()
		for range told {
		}
	})
}
