package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// CreateAPIKey implements store.Handle.
func (h handle) CreateAPIKey(ctx context.Context, actor string, k store.APIKey) (store.APIKey, error) {
	if err := errors.Join(store.CheckName("API key", k.Name), store.CheckScopes(k.Scopes)); err != nil {
		return k, err
	}
	if k.Hash == [32]byte{} {
		return k, fmt.Errorf("API key %q: %w: it has no secret", k.Name, store.ErrInvalid)
	}
	err := h.write(ctx, func(w *work) error {
		if err := w.room("API key", buryAPIKeys, countAPIKeys); err != nil {
			return err
		}
		if k.User != "" {
			if _, err := w.user(k.User, 0); err != nil {
				return err
			}
		}
		if k.ID.IsZero() {
			k.ID = ident.New[ident.APIKey]()
		}
		if _, err := one(ctx, w.conn, scanAPIKey, selectAPIKeyByID, int64(k.ID)); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(fmt.Errorf("API key %s: %w", k.ID, store.ErrExists), err)
		}
		k.Tenant, k.Revoked, k.Created, k.Expires = h.tenant, false, w.now, instant(micro(k.Expires))
		born, err := w.audit(actor, "apikey.create", k.ID, slog.String("name", k.Name), slog.Any("scopes", k.Scopes), slog.String("user", k.User), slog.Time("expires", k.Expires))
		if err != nil {
			return err
		}
		scopes, err := json.Marshal(k.Scopes)
		if err != nil {
			return err
		}
		return w.exec(insertAPIKey, int64(k.ID), k.Name, k.Hash[:], string(scopes), k.User, micro(k.Expires), k.Revoked, micro(k.Created), int64(born), micro(w.now))
	})
	return k, err
}

// RevokeAPIKey implements store.Handle.
func (h handle) RevokeAPIKey(ctx context.Context, actor string, id ident.APIKey) error {
	return h.write(ctx, func(w *work) error {
		k, err := own(w, scanAPIKey, selectAPIKey, int64(id))
		if err != nil || k.Revoked {
			return missing(err, "API key", id)
		}
		if _, err := w.audit(actor, "apikey.revoke", id, slog.String("name", k.Name)); err != nil {
			return err
		}
		return w.exec(revokeAPIKey, int64(id), micro(w.now))
	})
}

// APIKeys implements store.Handle.
func (h handle) APIKeys(ctx context.Context) ([]store.APIKey, error) {
	return readAll(ctx, h, scanAPIKey, selectAPIKeys)
}

// APIKey implements store.Store.
func (s *Store) APIKey(ctx context.Context, id ident.APIKey) (store.APIKey, error) {
	k, err := one(ctx, s.reader(), scanAPIKey, selectAPIKeyByID, int64(id))
	return k, missing(err, "API key", id)
}

func scanAPIKey(rows *sql.Rows) (k store.APIKey, err error) {
	var hash []byte
	var scopes string
	var expires, created int64
	if err := rows.Scan(&k.Tenant, &k.ID, &k.Name, &hash, &scopes, &k.User, &expires, &k.Revoked, &created); err != nil {
		return k, err
	}
	copy(k.Hash[:], hash)
	k.Expires, k.Created = instant(expires), instant(created)
	if err := json.Unmarshal([]byte(scopes), &k.Scopes); err != nil {
		return k, fmt.Errorf("API key %s: its scopes: %w", k.ID, err)
	}
	return k, nil
}
