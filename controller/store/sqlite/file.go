package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Names in the data folder.
const (
	fileName    = "cvlan.db"
	lockName    = "cvlan.lock"
	ballastName = "cvlan.ballast"
)

// applicationID marks our database files (SQLite's file format, section 1.2.14): "CVLN".
const applicationID = 0x43564c4e

var magic = []byte("SQLite format 3\x00")

// headerSize is how much of a database file its header takes; the application id stands at idOffset of it.
const (
	headerSize = 100
	idOffset   = 68
)

var errForeign = errors.New("is not a database of ours")

// inspect looks at a file before SQLite does, so that a foreign one is never touched. It reports whether there is a database;
// a missing or empty file is a new one. It must not be called while the database is open (see the package comment).
func inspect(path string) (exists bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("database %s: %w; run as the owner of that folder", path, err)
	}
	defer f.Close()
	head := make([]byte, headerSize)
	n, err := io.ReadFull(f, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return false, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return false, fmt.Errorf("database %s: %w", path, err)
	case !bytes.HasPrefix(head, magic):
		return false, fmt.Errorf("database %s: %w: it is no SQLite file, or its beginning is damaged; choose another folder, or restore a backup: cvlan-controller config restore FILE", path, errForeign)
	case binary.BigEndian.Uint32(head[idOffset:]) != applicationID:
		return false, fmt.Errorf("database %s: %w: another program made it; choose another folder", path, errForeign)
	}
	return true, nil
}

// create makes a new, marked, empty database. The mark is durable before anything else is: whatever kills us then, the file is
// known as ours.
func create(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connect(dsn(path, "journal_mode(DELETE)", "synchronous(FULL)"), 1)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	return errors.Join(err, db.Close(), syncFolder(filepath.Dir(path)))
}

// check asks SQLite whether the database is whole. It reads all of it.
func check(ctx context.Context, db asker, pragma string) error {
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA "+pragma+"(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %.200s", errDamaged, found)
	}
	return nil
}

var errDamaged = errors.New("the database is damaged")

// folder makes the data folder, private, if it is missing. One that others may read will do, because a container's volume is often
// like that and the files are private; one that others may write to will not: they could put another database into it.
func folder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && filepath.Separator != '\\' && info.Mode().Perm()&0o022 != 0 {
		err = fmt.Errorf("folder %s: others may write to it (mode %04o); chmod it to 0700", path, info.Mode().Perm())
	}
	return err
}

// tighten takes the database away from others: it holds keys. Permission bits mean nothing on Windows, where it does nothing.
func tighten(path string) (changed bool, err error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 || filepath.Separator == '\\' {
		return false, err
	}
	return true, os.Chmod(path, 0o600)
}

// syncFile makes a file's content durable.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
