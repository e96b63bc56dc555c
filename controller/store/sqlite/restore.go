package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

// Restored is what Restore did.
type Restored struct {
	From    string
	Meta    store.Meta // with the new epoch
	Before  uint64     // epoch of the database that was replaced; 0: there was none, or it could not be read
	Kept    string     // where that one is now; empty: there was none
	Tenants int
	Nodes   int
}

// String says it to people.
func (r Restored) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "restored %s: %s, %s; epoch %d", r.From, words.Count(r.Tenants, "tenant"), words.Count(r.Nodes, "node"), r.Meta.Epoch)
	if r.Before > 0 {
		fmt.Fprintf(&b, " (was %d)", r.Before)
	}
	b.WriteString(", so every node gets a fresh map")
	if r.Kept != "" {
		fmt.Fprintf(&b, "\nthe database that was there is kept as %s", r.Kept)
	}
	return b.String()
}

// Restore puts a backup in the place of a data folder's database, while no controller uses the folder.
//
// The backup is copied, checked whole, brought to this program's schema and given a new epoch before anything else is touched; the
// old database stays in the folder under another name; and one rename takes the copy into use: killed at any moment, the folder has
// the old database or the new one.
//
// The epoch tells nodes that versions they know are of another history. The new one is above the old database's, above the
// backup's, and not below the seconds since 1970: the same backup restored twice, on machines that know nothing of each other, gives two
// epochs. What was deleted since the backup, nodes and keys among it, is there again: that is for a person to look through.
func Restore(ctx context.Context, from, dir string, now time.Time) (Restored, error) {
	r, err := restore(ctx, from, dir, now)
	if err != nil {
		return r, fmt.Errorf("restore %s: %w", from, err)
	}
	return r, nil
}

func restore(ctx context.Context, from, dir string, now time.Time) (r Restored, err error) {
	if err := folder(dir); err != nil {
		return r, err
	}
	lock, err := disk.Acquire(filepath.Join(dir, lockName))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	path := filepath.Join(dir, fileName)
	part := path + ".restoring"
	tidy := func() error { return removeAll(part, part+"-wal", part+"-shm") }
	if err := tidy(); err != nil { // after an attempt that was interrupted
		return r, err
	}
	r = Restored{From: from, Before: oldEpoch(ctx, path)}
	if err := copyFile(part, from); err != nil {
		return r, errors.Join(err, tidy())
	}
	if err := r.prepare(ctx, part, now); err != nil {
		return r, errors.Join(err, tidy())
	}
	if r.Kept, err = keepOld(path, now); err != nil {
		return r, errors.Join(err, tidy())
	}
	if err := os.Rename(part, path); err != nil {
		return r, err
	}
	return r, syncFolder(dir)
}

// prepare checks the copy, brings its schema up to date and gives it its epoch, and leaves it durable and without a log.
func (r *Restored) prepare(ctx context.Context, part string, now time.Time) error {
	if err := verify(ctx, part, "integrity_check"); err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	c, err := newConn(ctx, part)
	if err != nil {
		return err
	}
	err = func() error {
		if _, err := migrate(ctx, c.c, steps, now); err != nil {
			return err
		}
		if r.Meta, err = one(ctx, c, scanMeta, selectMeta); err != nil {
			return err
		}
		r.Meta.Epoch = max(r.Before+1, r.Meta.Epoch+1, uint64(max(now.Unix(), 0)))
		if _, err := c.exec(setEpoch, int64(r.Meta.Epoch)); err != nil {
			return err
		}
		if r.Tenants, err = one(ctx, c, value[int], countTenants); err != nil {
			return err
		}
		r.Nodes, err = one(ctx, c, value[int], countNodes)
		return err
	}()
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	if info, err := os.Stat(part + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s: its log did not go away", part)
	}
	return errors.Join(syncFile(part), removeAll(part+"-wal", part+"-shm"))
}

// oldEpoch reads the epoch of the database that is to be replaced, and moves its log into it. What cannot be read counts as zero.
func oldEpoch(ctx context.Context, path string) uint64 {
	if exists, err := inspect(path); err != nil || !exists {
		return 0
	}
	c, err := newConn(ctx, path)
	if err != nil {
		return 0
	}
	defer c.close()
	m, err := one(ctx, c, scanMeta, selectMeta)
	if err != nil {
		return 0
	}
	return m.Epoch
}

// keepOld gives the old database a second name, and its log, if there still is one, a new one: a log beside a database that it
// does not belong to would destroy it.
func keepOld(path string, now time.Time) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", removeAll(path+"-wal", path+"-shm")
	} else if err != nil {
		return "", err
	}
	kept := path + ".before-restore-" + now.UTC().Format("20060102T150405Z")
	for n := 2; ; n++ {
		if absent(kept) == nil {
			break
		}
		kept = fmt.Sprintf("%s.before-restore-%s-%d", path, now.UTC().Format("20060102T150405Z"), n)
	}
	if err := os.Link(path, kept); err != nil { // a file system without links
		if err := copyFile(kept, path); err != nil {
			return "", err
		}
	}
	if err := os.Rename(path+"-wal", kept+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return kept, removeAll(path + "-shm")
}

// copyFile makes a durable copy, mode 0600.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// removeAll removes files that may not exist.
func removeAll(paths ...string) error {
	var all error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}
