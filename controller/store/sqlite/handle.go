package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// For implements store.Store.
func (s *Store) For(id ident.Tenant) store.Handle { return handle{s, id} }

// handle is one tenant's door. Every statement goes through it or through work, and both fill in the tenant.
type handle struct {
	s      *Store
	tenant ident.Tenant
}

func (h handle) write(ctx context.Context, apply func(*work) error) error {
	return h.s.w.write(ctx, h.tenant, apply)
}

func (h handle) args(more []any) []any { return append([]any{int64(h.tenant)}, more...) }

func read[T any](ctx context.Context, h handle, scan func(*sql.Rows) (T, error), s statement, args ...any) (T, error) {
	return one(ctx, h.s.reader(), scan, s, h.args(args)...)
}

func readAll[T any](ctx context.Context, h handle, scan func(*sql.Rows) (T, error), s statement, args ...any) ([]T, error) {
	return list(ctx, h.s.reader(), scan, s, h.args(args)...)
}

// missing says which thing was not found.
func missing(err error, noun string, id fmt.Stringer) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s %s: %w", noun, id, err)
	}
	return err
}

// Tenant implements store.Handle.
func (h handle) Tenant(ctx context.Context) (store.Tenant, error) {
	t, err := read(ctx, h, scanTenant, selectTenant)
	return t, missing(err, "tenant", h.tenant)
}

// Load implements store.Handle.
func (h handle) Load(ctx context.Context) (l store.Load, err error) {
	err = h.s.reader().snapshot(ctx, func(q queryer) (err error) {
		if l.Tenant, err = one(ctx, q, scanTenant, selectTenant, h.args(nil)...); err != nil {
			return missing(err, "tenant", h.tenant)
		}
		if l.Floor, err = one(ctx, q, value[uint64], selectFloor, h.args(nil)...); err != nil {
			return err
		}
		if l.Networks, err = list(ctx, q, scanNetwork, selectNetworks, h.args(nil)...); err != nil {
			return err
		}
		if l.Tombstones, err = list(ctx, q, scanTombstone, selectTombs, h.args(nil)...); err != nil {
			return err
		}
		if l.Plains, err = list(ctx, q, scanPlain, selectPlainsByVersion, h.args(nil)...); err != nil {
			return err
		}
		if l.Users, err = h.allUsers(ctx, q); err != nil {
			return err
		}
		if l.Policies, err = list(ctx, q, scanPolicy, selectPoliciesInForce, h.args(nil)...); err != nil {
			return err
		}
		nodes, err := list(ctx, q, scanNode, selectNodes, h.args(nil)...)
		l.Nodes = ordered(nodes, byVersion)
		return err
	})
	return l, err
}

// Events implements store.Handle.
func (h handle) Events(ctx context.Context, after uint64, limit int) ([]store.Event, error) {
	return readAll(ctx, h, scanEvent, selectEvents, int64(after), max(limit, 0))
}

func scanTombstone(rows *sql.Rows) (t store.Tombstone, err error) {
	var at int64
	var nodes string
	if err := rows.Scan(&t.Node, &t.Network, &t.Version, &at, &t.Plain, &nodes); err != nil {
		return t, err
	}
	t.At = instant(at)
	return t, json.Unmarshal([]byte(nodes), &t.Nodes)
}

func scanEvent(rows *sql.Rows) (e store.Event, err error) {
	var at int64
	var prev, hash []byte
	err = rows.Scan(&e.Seq, &at, &e.Actor, &e.Action, &e.Target, &e.Detail, &prev, &hash)
	e.At = instant(at)
	copy(e.Prev[:], prev)
	copy(e.Hash[:], hash)
	return e, err
}
