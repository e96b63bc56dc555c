package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

var errRefused = errors.New("refused by the test")

// held keeps the writer in one mutation while more are queued, so that these share the next commit.
func held(t *testing.T, s *Store, queue func(wg *sync.WaitGroup)) {
	t.Helper()
	var wg sync.WaitGroup
	release := make(chan struct{})
	wg.Go(func() {
		if err := s.w.write(t.Context(), store.Provider, func(*work) error { <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	queue(&wg)
	synctest.Wait()
	close(release)
	wg.Wait()
}

// Mutations that share a commit share nothing else: refused and cancelled ones, even after they have written, leave their neighbours whole.
func TestNeighboursInACommitDoNotDisturbEachOther(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Config{Dir: dir})
		h, n, k, secret := settle(t, s)
		tenant, err := h.Tenant(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var heard []store.Change
		s.Listen(func(_ ident.Tenant, c []store.Change) { heard = append(heard, c...) })
		held(t, s, func(wg *sync.WaitGroup) {
			for range 3 {
				wg.Go(func() {
					if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				wg.Go(func() {
					err := s.w.write(t.Context(), tenant.ID, func(w *work) error {
						_, err := w.admit(machine(k, secret))
						return errors.Join(errRefused, err)
					})
					if !errors.Is(err, errRefused) {
						t.Error(err)
					}
				})
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				wg.Go(func() {
					if err := h.DeleteNetwork(ctx, "test", n.ID, 0); !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
				synctest.Wait()
				cancel()
			}
			if len(s.w.queue) != 9 {
				t.Errorf("%d mutations wait, want 9", len(s.w.queue))
			}
		})
		l, err := h.Load(t.Context())
		if err != nil || len(l.Nodes) != 3 || l.Tenant.Hard != tenant.Hard+3 || len(heard) != 3 {
			t.Errorf("%d nodes at %d, heard %d, %v", len(l.Nodes), l.Tenant.Hard, len(heard), err)
		}
		for i, node := range l.Nodes {
			if want := n.Range4.Addr().Next().Next(); i == 0 && node.Address4 != want || i > 0 && node.Address4 != l.Nodes[i-1].Address4.Next() {
				t.Errorf("node %d has %v: a refused one has kept its address", i, node.Address4)
			}
		}
		if e, err := h.Events(t.Context(), 0, 100); err != nil || len(e) != 3+3 {
			t.Errorf("%d events, %v", len(e), err)
		}
	})
}

func TestClosingWritesWhatWaits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Config{Dir: dir})
		h, _, k, secret := settle(t, s)
		held(t, s, func(wg *sync.WaitGroup) {
			wg.Go(func() {
				if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			wg.Go(func() { s.Close() })
			synctest.Wait()
			if _, err := h.Admit(t.Context(), machine(k, secret)); !errors.Is(err, errClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	})
}

func TestCommitsAreDurable(t *testing.T) {
	s := openTest(t, Config{Dir: t.TempDir()})
	err := s.w.write(t.Context(), store.Provider, func(w *work) error {
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "locking_mode": "normal", "temp_store": "2"} {
			if got, err := one(t.Context(), w.conn, value[string], statement("PRAGMA "+pragma)); err != nil || got != want {
				t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.reader().db.ExecContext(t.Context(), string(probe)); err == nil {
		t.Error("a connection that reads can write")
	}
}

func TestLimitsHold(t *testing.T) {
	s := openTest(t, Config{Dir: t.TempDir()})
	h, n, k, secret := settle(t, s)
	tenant, err := h.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	victim, err := h.Admit(t.Context(), machine(k, secret))
	if err != nil {
		t.Fatal(err)
	}
	err = s.w.write(t.Context(), tenant.ID, func(w *work) error {
		for range store.MaxTombstones {
			v, err := w.version()
			if err == nil {
				err = w.bury(store.Tombstone{Node: 7, Network: n.ID, Version: v})
			}
			if err != nil {
				return err
			}
		}
		for i := range store.MaxKeys - 1 {
			k.ID = ident.JoinKey(i + 1)
			if err := w.insertJoinKey("test", k); err != nil {
				return err
			}
			if err := w.exec(insertAPIKey, i+1, "k", k.Hash[:], "null", "", 0, false, 0, 0, micro(w.now)); err != nil {
				return err
			}
		}
		return w.exec(insertAPIKey, store.MaxKeys, "k", k.Hash[:], "null", "", 0, false, 0, 0, micro(w.now))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.CreateJoinKey(t.Context(), "test", store.JoinKey{Network: n.ID, Hash: [32]byte{1}}); !errors.Is(err, store.ErrLimit) {
		t.Errorf("one join key too many: %v", err)
	}
	if _, err := h.CreateAPIKey(t.Context(), "test", store.APIKey{Name: "k", Hash: [32]byte{1}}); !errors.Is(err, store.ErrLimit) {
		t.Errorf("one API key too many: %v", err)
	}
	if err := h.DeleteNode(t.Context(), "test", victim.ID, 0); err != nil {
		t.Fatal(err)
	}
	l, err := h.Load(t.Context())
	if err != nil || len(l.Tombstones) != store.MaxTombstones+1-store.MaxTombstones/10 || l.Floor != l.Tombstones[0].Version-1 {
		t.Errorf("%d tombstones above %d, %v", len(l.Tombstones), l.Floor, err)
	}
}

// A store whose writer does not come through says so within the caller's patience.
func TestACallerDoesNotWaitForEver(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Config{Dir: dir})
		held(t, s, func(wg *sync.WaitGroup) {
			for i := range maxQueue + 1 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					err := s.w.write(ctx, store.Provider, func(*work) error { return errRefused })
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(fmt.Errorf("caller %d: %w", i, err))
					}
				})
			}
			time.Sleep(2 * time.Minute)
		})
	})
}
