package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/sys/disk"
	lite "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// illness is why the database cannot be written now.
type illness struct {
	why, hint string
	full      bool // room is what is missing
	incurable bool // trying again does not help
	cause     error
}

func (i *illness) err() error {
	return fmt.Errorf("%w: %s: %w; %s", store.ErrReadOnly, i.why, i.cause, i.hint)
}

// diagnose returns what an error says about the whole database, or nil when it is the error of one mutation.
func diagnose(err error, dir string) *illness {
	full := &illness{why: "the disk is full", hint: "free some space on the disk of " + dir + "; it goes on by itself then", full: true, cause: err}
	fixed := &illness{why: "its folder cannot be written", hint: "make " + dir + " writable; it goes on by itself then", cause: err}
	if errors.Is(err, disk.ErrFull) || errors.Is(err, syscall.ENOSPC) {
		return full
	}
	if errors.Is(err, disk.ErrReadOnly) || errors.Is(err, os.ErrPermission) {
		return fixed
	}
	var e *lite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code() {
	case codes.SQLITE_IOERR_SHMSIZE, codes.SQLITE_IOERR_WRITE: // a disk without room shows itself like this too
		return full
	}
	switch e.Code() & 0xff {
	case codes.SQLITE_FULL:
		return full
	case codes.SQLITE_READONLY, codes.SQLITE_CANTOPEN, codes.SQLITE_PERM:
		return fixed
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED, codes.SQLITE_PROTOCOL:
		return &illness{why: "another program holds it", hint: "end that program (a sqlite3 shell?); it goes on by itself then", cause: err}
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return &illness{why: "it is damaged", hint: "stop the controller and restore a backup: cvlan-controller config restore FILE", incurable: true, cause: err}
	case codes.SQLITE_IOERR, codes.SQLITE_NOMEM:
		return &illness{why: "the system refuses", hint: "look at the disk of " + dir + " and at the system's log; it is tried again every few seconds", cause: err}
	}
	return nil
}

// ballastSize is the room that is kept for the time when there is none: the log, at its usual size twice over.
const ballastSize = 8 << 20

// fillBallast makes the ballast file if it is not whole. What it holds is random enough for a file system that compresses.
func fillBallast(path string) error {
	if info, err := os.Stat(path); err == nil && info.Size() == ballastSize {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	b, x := make([]byte, 64<<10), uint64(0x9e3779b97f4a7c15)
	for n := 0; n < ballastSize && err == nil; n += len(b) {
		for i := range b {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			b[i] = byte(x)
		}
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Sync() // some file systems learn only now that there is no room
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
