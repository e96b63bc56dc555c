package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The disk is full for a while. What a restart needs is on it as soon as there is room again, in its latest form, and meanwhile its lack is told.
func TestWhatAFullDiskDoesNotTakeIsKeptLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper{log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go k.run(ctx)
		var full atomic.Bool
		disk := map[string]string{}
		full.Store(true)
		keeps := func(name, what string) error {
			return k.keep(name, func() error {
				if full.Load() {
					return errors.New("the disk is full")
				}
				disk[name] = what
				return nil
			})
		}
		began := time.Now()
		if keeps("admit", "1") == nil || keeps("relay.json", "a") == nil {
			t.Fatal("it is kept on a full disk")
		}
		time.Sleep(time.Minute)
		if keeps("admit", "2") == nil {
			t.Fatal("it is kept on a full disk")
		}
		if u := k.lacks(); u == nil || !u.Since.Equal(began) || u.Problem != "the disk is full" {
			t.Errorf("%+v", u)
		}
		full.Store(false)
		time.Sleep(keepAgain)
		synctest.Wait()
		if u := k.lacks(); u != nil || disk["admit"] != "2" || disk["relay.json"] != "a" {
			t.Errorf("lacks %+v, has %v", u, disk)
		}
		full.Store(true)
		if keeps("admit", "3"); k.lacks() == nil {
			t.Error("it is full again, and nobody says so")
		}
		full.Store(false)
		if err := keeps("admit", "4"); err != nil || k.lacks() != nil || disk["admit"] != "4" {
			t.Errorf("%v, %v", err, disk)
		}
	})
}
