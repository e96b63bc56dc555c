package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cvlan/cvlan/controller/store"
)

// Backup implements store.Store: one file, compact, mode 0600, checked, and complete or not there. It holds the authority's keys as the
// database does.
func (s *Store) Backup(ctx context.Context, path string) error {
	return backup(ctx, s.reader().db, path)
}

// BackupFile does the same for the database of a data folder that another process may be using.
func BackupFile(ctx context.Context, dir, path string) error {
	r, err := visit(dir)
	if err != nil {
		return err
	}
	return errors.Join(backup(ctx, r.db, path), r.close())
}

func backup(ctx context.Context, db *sql.DB, path string) error {
	if err := copyInto(ctx, db, path); err != nil {
		return fmt.Errorf("backup to %s: %w", path, err)
	}
	return nil
}

func copyInto(ctx context.Context, db *sql.DB, path string) error {
	if err := absent(path); err != nil {
		return err
	}
	part := path + ".partial"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // VACUUM INTO accepts an empty file, and keeps its mode
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	err = vacuumInto(ctx, db, part)
	if err == nil {
		err = verify(ctx, part, "quick_check")
	}
	if err == nil {
		err = syncFile(part)
	}
	if err == nil {
		err = absent(path) // again: it took a while
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return syncFolder(filepath.Dir(path))
}

// vacuumInto lifts the connection's own ban on writing for one statement: the copy is what is written.
func vacuumInto(ctx context.Context, db *sql.DB, path string) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "PRAGMA query_only = 0"); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "VACUUM INTO ?", path)
	_, again := c.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = 1")
	return errors.Join(err, again)
}

func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%w; choose a new name, a backup never overwrites anything", store.ErrExists)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// verify opens a database file that nobody uses and checks it.
func verify(ctx context.Context, path, pragma string) error {
	if exists, err := inspect(path); err != nil || !exists {
		return errors.Join(err, missingFile(exists, path))
	}
	db, err := connect(dsn(path, "query_only(1)")+"&mode=ro&immutable=1", 1)
	if err != nil {
		return err
	}
	return errors.Join(check(ctx, db, pragma), db.Close())
}

func missingFile(exists bool, path string) error {
	if exists {
		return nil
	}
	return fmt.Errorf("%s: there is no such file, or it is empty", path)
}
