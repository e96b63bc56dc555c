package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/sys/disk"
	lite "modernc.org/sqlite"
)

// Config says where a store is and how it works.
type Config struct {
	Dir     string           // data folder; made if it is missing
	Readers int              // connections that read; 0: 4
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// Store is a database that is in use. It implements store.Store.
type Store struct {
	Config
	path string
	meta store.Meta
	lock *disk.Lock // nil while the folder cannot be written
	read atomic.Pointer[readers]
	w    *writer
}

var _ store.Store = (*Store)(nil)

// Open opens the database of a data folder, makes it if there is none, brings its schema up to date and checks that it is whole.
// On a full or read-only disk it opens too, and Writable says why it cannot be written; only a database that does not exist yet, or
// whose schema is older, needs to be written at once. ctx ends the opening, not the store.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{Config: c.withDefaults(), path: filepath.Join(c.Dir, fileName)}
	s.w = newWriter(s)
	// Process-wide; as durable as fsync, and half its time on a journaling file system. Where it is unknown nothing changes.
	lite.Fdatasync(true)
	if err := folder(s.Dir); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := s.takeLock(); err != nil && !errors.Is(err, disk.ErrReadOnly) {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", s.path, err), s.release())
	}
	go s.w.run()
	return s, nil
}

func (c Config) withDefaults() Config {
	if c.Readers <= 0 {
		c.Readers = 4
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (s *Store) takeLock() (err error) {
	if s.lock == nil {
		s.lock, err = disk.Acquire(filepath.Join(s.Dir, lockName))
	}
	return err
}

// Close writes what waits, ends the goroutine and closes the files. It may be called again.
func (s *Store) Close() error {
	if !s.w.close() {
		return nil
	}
	return s.release()
}

// release gives back what Open took; the writer's connection goes last, because it tidies the log away.
func (s *Store) release() (err error) {
	if r := s.read.Load(); r != nil {
		err = r.close()
	}
	if s.w.conn != nil {
		err = errors.Join(err, s.w.conn.close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Release())
	}
	return err
}

// Meta implements store.Store.
func (s *Store) Meta() store.Meta { return s.meta }

// Listen implements store.Store.
func (s *Store) Listen(sink store.Sink) { s.w.sink.Store(&sink) }

// Writable implements store.Store.
func (s *Store) Writable() error {
	if ill := s.w.ill.Load(); ill != nil {
		return ill.err()
	}
	return nil
}
