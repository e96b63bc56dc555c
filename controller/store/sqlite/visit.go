package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/words"
)

// visit opens the database of a data folder for reading, as a guest: another process may be using it.
func visit(dir string) (*readers, error) {
	path := filepath.Join(dir, fileName)
	if exists, err := inspect(path); err != nil || !exists {
		return nil, errors.Join(err, missingFile(exists, path))
	}
	return newReaders(path, 1, false)
}

// Report is what Inspect found.
type Report struct {
	Path    string
	Meta    store.Meta
	Schema  string // which versions were applied last, for people
	Tenants int
	Nodes   int
	Events  int // of all audit trails
}

// String says it to people.
func (r Report) String() string {
	return fmt.Sprintf("%s is whole: %s, %s, %d audit events that follow each other; %s, epoch %d, trust domain %s",
		r.Path, words.Count(r.Tenants, "tenant"), words.Count(r.Nodes, "node"), r.Events, r.Schema, r.Meta.Epoch, r.Meta.TrustDomain)
}

// Inspect looks whether the database of a data folder is whole and of a version that this program knows, and whether its audit trails are as they
// were written. It reads all of it and changes nothing; another process may be using it.
func Inspect(ctx context.Context, dir string) (r Report, err error) {
	db, err := visit(dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	r.Path = filepath.Join(dir, fileName)
	if err := check(ctx, db.db, "integrity_check"); err != nil {
		return r, fmt.Errorf("database %s: %w; stop using it and restore a backup: cvlan-controller config restore FILE", r.Path, err)
	}
	steps, err := migrations()
	if err != nil {
		return r, err
	}
	done, err := history(ctx, db.db)
	if err == nil {
		_, err = pending(done, steps)
	}
	if err != nil {
		return r, fmt.Errorf("database %s: %w", r.Path, err)
	}
	r.Schema = describe(done)
	if r.Meta, err = one(ctx, db, scanMeta, selectMeta); err != nil {
		return r, err
	}
	if r.Tenants, err = one(ctx, db, value[int], countTenants); err != nil {
		return r, err
	}
	if r.Nodes, err = one(ctx, db, value[int], countNodes); err != nil {
		return r, err
	}
	if r.Events, err = verifyTrails(ctx, db); err != nil {
		return r, fmt.Errorf("database %s: %w; compare it with a backup", r.Path, err)
	}
	return r, nil
}
