package relay

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// keepAgain is how often what the disk did not take is tried again.
const keepAgain = 10 * time.Second

// keeper writes to the disk what a restart needs, and tries again while the disk does not take it. What it writes is written by one goroutine at a time.
type keeper struct {
	log *slog.Logger

	mu     sync.Mutex
	unkept map[string]func() error // what has not been written, by its name
	told   Unkept
}

// Unkept tells that the disk lacks what a restart without the controller would need.
type Unkept struct {
	Since   time.Time `json:"since"`
	Problem string    `json:"problem"`
}

// keep writes something, which takes the place of what was to be written under this name.
func (k *keeper) keep(name string, write func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.try(name, write)
}

func (k *keeper) try(name string, write func() error) error {
	err := write()
	if err == nil {
		delete(k.unkept, name)
		return nil
	}
	if len(k.unkept) == 0 {
		k.unkept, k.told.Since = map[string]func() error{}, time.Now()
	}
	k.unkept[name], k.told.Problem = write, err.Error()
	return err
}

// run tries again until ctx is done.
func (k *keeper) run(ctx context.Context) {
	t := time.NewTicker(keepAgain)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			k.again()
		}
	}
}

func (k *keeper) again() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.unkept) == 0 {
		return
	}
	var err error
	for _, name := range slices.Sorted(maps.Keys(k.unkept)) {
		err = cmp.Or(err, k.try(name, k.unkept[name]))
	}
	if err == nil {
		k.log.Info("the disk has taken what was not kept")
	}
}

// lacks returns what the disk lacks; nil: nothing.
func (k *keeper) lacks() *Unkept {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.unkept) == 0 {
		return nil
	}
	u := k.told
	return &u
}

// keepMember keeps the membership as it is now.
func (r *Relay) keepMember() error {
	m, heard := r.dir.member, r.clock.Heard()
	return r.keeper.keep(relayFile, func() error { return r.dir.keep(m, heard) })
}
