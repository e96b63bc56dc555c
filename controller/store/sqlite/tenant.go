package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// system is the actor of what the controller does by itself.
const system = "controller"

// CreateTenant implements store.Store. The provider's trail tells of it too.
func (s *Store) CreateTenant(ctx context.Context, actor, name string, intermediate store.Authority, id ident.Tenant) (t store.Tenant, err error) {
	if err := store.CheckName("tenant", name); err != nil {
		return t, err
	}
	if id.IsZero() || intermediate.Tenant != id {
		return t, fmt.Errorf("tenant %q: %w: its authority is not for it", name, store.ErrInvalid)
	}
	err = s.w.write(ctx, store.Provider, func(w *work) error {
		if err := w.mayCreateTenant(name, id); err != nil {
			return err
		}
		born, err := w.audit(actor, "tenant.create", id, slog.String("name", name))
		if err != nil {
			return err
		}
		t = store.Tenant{ID: id, Name: name, Created: w.now}
		if _, err := w.conn.exec(insertTenant, int64(id), name, micro(w.now), int64(born)); err != nil {
			return err
		}
		if err := w.setAuthority(intermediate); err != nil {
			return err
		}
		_, err = w.auditIn(id, actor, "tenant.create", id, slog.String("name", name))
		return err
	})
	return t, err
}

func (w *work) mayCreateTenant(name string, id ident.Tenant) error {
	ctx := context.Background()
	if n, err := one(ctx, w.conn, value[int], countTenants); err != nil {
		return err
	} else if n >= store.MaxTenants {
		return fmt.Errorf("tenant %q: %w: there are %d tenants", name, store.ErrLimit, n)
	}
	for s, arg := range map[statement]any{selectTenantByName: name, selectTenant: int64(id)} {
		switch _, err := one(ctx, w.conn, scanTenant, s, arg); {
		case err == nil:
			return fmt.Errorf("tenant %q: %w; choose another name", name, store.ErrExists)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return nil
}

// Tenants implements store.Store.
func (s *Store) Tenants(ctx context.Context) ([]store.Tenant, error) {
	return list(ctx, s.reader(), scanTenant, selectTenants)
}

// TenantByName implements store.Store.
func (s *Store) TenantByName(ctx context.Context, name string) (store.Tenant, error) {
	t, err := one(ctx, s.reader(), scanTenant, selectTenantByName, name)
	return t, named(err, "tenant", name)
}

// Authority implements store.Store.
func (s *Store) Authority(ctx context.Context, id ident.Tenant) (store.Authority, error) {
	a, err := one(ctx, s.reader(), scanAuthority, selectAuthority, int64(id))
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("authority of tenant %s: %w", id, err)
	}
	return a, err
}

// SetAuthority implements store.Store.
func (s *Store) SetAuthority(ctx context.Context, a store.Authority) error {
	return s.w.write(ctx, a.Tenant, func(w *work) error {
		if _, err := w.audit(system, "authority.create", a.Tenant); err != nil {
			return err
		}
		return w.setAuthority(a)
	})
}

func (w *work) setAuthority(a store.Authority) error {
	if len(a.Certificate) == 0 || len(a.Key) == 0 {
		return fmt.Errorf("authority of tenant %s: %w: it has no certificate or no key", a.Tenant, store.ErrInvalid)
	}
	switch _, err := one(context.Background(), w.conn, scanAuthority, selectAuthority, int64(a.Tenant)); {
	case err == nil:
		return fmt.Errorf("authority of tenant %s: %w", a.Tenant, store.ErrExists)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	_, err := w.conn.exec(insertAuthority, int64(a.Tenant), a.Certificate, a.Key)
	return err
}

func (s *Store) reader() *readers { return s.read.Load() }

// named says what was not found.
func named(err error, noun, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s %q: %w", noun, name, err)
	}
	return err
}

func scanTenant(rows *sql.Rows) (t store.Tenant, err error) {
	var created int64
	err = rows.Scan(&t.ID, &t.Name, &created, &t.Hard)
	t.Created = instant(created)
	return t, err
}

func scanAuthority(rows *sql.Rows) (a store.Authority, err error) {
	var cross []byte
	if err := rows.Scan(&a.Tenant, &a.Certificate, &a.Key, &cross); err != nil {
		return a, err
	}
	a.Cross, err = apart(cross)
	return a, err
}
