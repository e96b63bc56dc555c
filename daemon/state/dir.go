package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

// Dir is the state folder, for this process alone.
type Dir struct {
	path string
	lock *disk.Lock
}

// Open makes the folder if need be and takes its lock; the error is disk.ErrLocked if another daemon has it.
func Open(path string) (*Dir, error) {
	for _, p := range []string{path, filepath.Join(path, networks), filepath.Join(path, joining)} {
		if err := disk.Folder(p); err != nil {
			return nil, fmt.Errorf("state folder: %w", err)
		}
	}
	lock, err := disk.Acquire(filepath.Join(path, "lock"))
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	d := &Dir{path, lock}
	d.sweep()
	return d, nil
}

// sweep deletes what a crash has left of forgotten memberships.
func (d *Dir) sweep() {
	left, _ := filepath.Glob(filepath.Join(d.path, networks, forgotten+"*"))
	for _, p := range left {
		_ = os.RemoveAll(p) // tried again at the next start
	}
}

const (
	networks = "networks"
	joining  = "joining"
	// forgotten begins the name of a folder that is being deleted.
	forgotten = "forgotten-"
)

// Path returns where the folder is.
func (d *Dir) Path() string { return d.path }

// Close gives the lock back.
func (d *Dir) Close() error { return d.lock.Release() }

// Found is one membership on disk: either whole, or with the reason why it cannot be used.
type Found struct {
	ID         ident.Network
	Membership *Membership // nil if Err is not
	Err        error
}

// Memberships reads all that there are, in the order of their identifiers.
func (d *Dir) Memberships() ([]Found, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, networks))
	if err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	var all []Found
	for _, e := range entries {
		var id ident.Network
		if !e.IsDir() || id.UnmarshalText([]byte(e.Name())) != nil {
			continue // not ours
		}
		f := Found{ID: id}
		f.Membership, f.Err = load(filepath.Join(d.path, networks, e.Name()), id)
		if f.Err != nil {
			f.Membership = nil
		}
		all = append(all, f)
	}
	return all, nil
}

// Forget deletes a membership with its keys, damaged or not.
func (d *Dir) Forget(id ident.Network) error {
	path := filepath.Join(d.path, networks, id.String())
	gone := filepath.Join(d.path, networks, forgotten+id.String())
	// The rename first: a crash in the middle of the deletion must not leave half a membership.
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("forget network %s: %w", id, err)
	}
	if err := os.Rename(path, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget network %s: %w", id, err)
	}
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("forget network %s: %w", id, err)
	}
	return nil
}
