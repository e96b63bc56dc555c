package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// start makes the connections. The order matters: look at the file before SQLite does, mark it before it is used, write
// before reading, because the writer makes the log's index, without which nobody reads.
func (s *Store) start(ctx context.Context) error {
	exists, err := inspect(s.path)
	if err == nil && !exists {
		err = create(ctx, s.path)
	}
	if err != nil {
		return err
	}
	s.tighten()
	steps, err := migrations()
	if err != nil {
		return err
	}
	if err := s.startWriter(ctx, steps); err != nil {
		return err
	}
	if err := s.startReaders(ctx, s.w.conn == nil); err != nil {
		return err
	}
	db := s.read.Load().db
	if err := check(ctx, db, "quick_check"); err != nil {
		return fmt.Errorf("%w; stop using it and restore a backup: cvlan-controller config restore FILE", err)
	}
	done, err := history(ctx, db)
	if err != nil {
		return err
	}
	if todo, err := pending(done, steps); err != nil {
		return err
	} else if len(todo) > 0 {
		return fmt.Errorf("it has to be brought from %s to schema %d first: %w", describe(done), len(steps), s.Writable())
	}
	s.meta, err = one(ctx, s.read.Load(), scanMeta, selectMeta)
	return err
}

func (s *Store) tighten() {
	switch changed, err := tighten(s.path); {
	case err != nil:
		s.Log.Warn("the database may be read by others", logx.Path, s.path, logx.Err, err)
	case changed:
		s.Log.Warn("the database could be read by others and no longer can", logx.Path, s.path)
	}
}

// startWriter opens the connection that writes, brings the schema up to date and lays the ballast. If the disk does not let it, the
// store starts ill.
func (s *Store) startWriter(ctx context.Context, steps []migration) error {
	c, err := newConn(ctx, s.path)
	if ill := diagnose(err, s.Dir); ill != nil && ill.full {
		s.sicken(err) // gives up the ballast: the log's index needs some of its room
		if c, err = newConn(ctx, s.path); err == nil {
			s.w.conn = c
			return nil
		}
	}
	if err == nil {
		s.w.conn = c
		err = s.ready(ctx, c, steps)
	}
	if err == nil {
		return nil
	}
	if ill := diagnose(err, s.Dir); ill == nil || ill.incurable {
		return err
	}
	s.sicken(err)
	return nil
}

// ready makes a database that can be written one that can be used.
func (s *Store) ready(ctx context.Context, c *conn, steps []migration) error {
	n, err := migrate(ctx, c.c, steps, s.Now())
	if err != nil {
		return err
	}
	if n > 0 {
		s.Log.Info("database schema brought up to date", logx.Count, n, logx.Version, len(steps))
	}
	_, err = one(ctx, c, scanMeta, selectMeta)
	if errors.Is(err, store.ErrNotFound) {
		err = s.found(c)
	}
	if err != nil {
		return err
	}
	if err := fillBallast(filepath.Join(s.Dir, ballastName)); err != nil {
		return err
	}
	return try(c)
}

// found writes what a new database begins with.
func (s *Store) found(c *conn) error {
	now := micro(s.Now())
	for _, do := range []func() error{
		func() error { _, err := c.exec(begin); return err },
		func() error {
			_, err := c.exec(insertMeta, int64(ident.New[ident.Controller]()), strings.ToLower(rand.Text()), int64(1), now)
			return err
		},
		func() error { _, err := c.exec(insertTenant, int64(store.Provider), "", now, int64(0)); return err },
		func() error { _, err := c.exec(commit); return err },
	} {
		if err := do(); err != nil {
			c.exec(rollback)
			return err
		}
	}
	return nil
}

// startReaders opens the pool that reads. sealed: the folder cannot be written, so that not even the log's index can be made.
func (s *Store) startReaders(ctx context.Context, sealed bool) error {
	if sealed {
		if err := s.nothingInLog(); err != nil {
			return err
		}
	}
	r, err := newReaders(s.path, s.Readers, sealed)
	if err != nil {
		return err
	}
	if err := r.db.PingContext(ctx); err != nil {
		return errors.Join(err, r.close())
	}
	s.read.Store(r)
	return nil
}

// nothingInLog says why a database whose log still has content cannot be read without writing.
func (s *Store) nothingInLog() error {
	info, err := os.Stat(s.path + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Size() > 0:
		return fmt.Errorf("its last changes are still in its log, which can only be read where it can be written: %w", s.Writable())
	}
	return nil
}

// sicken notes that the database cannot be written, and logs it once.
func (s *Store) sicken(err error) *illness {
	ill := diagnose(err, s.Dir)
	if ill == nil {
		ill = &illness{why: "writing failed", hint: "it is tried again every few seconds", cause: err}
	}
	if ill.full {
		os.Remove(filepath.Join(s.Dir, ballastName)) // if it fails there is no ballast to give up
	}
	if was := s.w.ill.Swap(ill); was == nil || was.why != ill.why {
		s.Log.Error("the database cannot be written; reading goes on", logx.Reason, ill.why, logx.Err, err, logx.Hint, ill.hint)
	}
	return ill
}

// recoverLimit bounds one attempt to get well.
const recoverLimit = 30 * time.Second

// getWell returns a connection that has just written something, everything else being as Open leaves it.
func (s *Store) getWell() (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), recoverLimit)
	defer cancel()
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	if err := fillBallast(filepath.Join(s.Dir, ballastName)); err != nil {
		return nil, err
	}
	if old := s.read.Load(); old.sealed {
		if err := s.startReaders(ctx, false); err != nil {
			return nil, err
		}
		if err := old.close(); err != nil {
			s.Log.Debug("the sealed connections did not close cleanly", logx.Err, err)
		}
	}
	c, err := newConn(ctx, s.path)
	if err != nil {
		return nil, err
	}
	if err := try(c); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func scanMeta(rows *sql.Rows) (m store.Meta, err error) {
	var created int64
	err = rows.Scan(&m.Controller, &m.TrustDomain, &m.Epoch, &created)
	m.Created = instant(created)
	return m, err
}
