package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// CreateJoinKey implements store.Handle. Keys that have been dead for long make room first.
func (h handle) CreateJoinKey(ctx context.Context, actor string, k store.JoinKey) (store.JoinKey, error) {
	if err := store.CheckTags(k.Tags); err != nil {
		return k, err
	}
	if k.Uses < 0 || k.Hash == [32]byte{} {
		return k, fmt.Errorf("join key: %w: a negative number of uses, or no secret", store.ErrInvalid)
	}
	err := h.write(ctx, func(w *work) error {
		if _, err := w.network(k.Network, 0); err != nil {
			return err
		}
		if k.User != "" {
			if _, err := w.user(k.User, 0); err != nil {
				return err
			}
		}
		if err := w.room("join key", buryJoinKeys, countJoinKeys); err != nil {
			return err
		}
		if k.ID.IsZero() {
			k.ID = ident.New[ident.JoinKey]()
		}
		if _, err := one(ctx, w.conn, value[int64], selectJoinKeyTenant, int64(k.ID)); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(fmt.Errorf("join key %s: %w", k.ID, store.ErrExists), err)
		}
		k.Used, k.Revoked, k.Created, k.CreatedBy, k.Expires = 0, false, w.now, clean.Line(actor, maxActor), instant(micro(k.Expires))
		return w.insertJoinKey(actor, k)
	})
	return k, err
}

// room makes some for another key, and says when there is none.
func (w *work) room(noun string, bury, count statement) error {
	if err := w.exec(bury, micro(w.now.Add(-store.DeadKeyLife))); err != nil {
		return err
	}
	n, err := own(w, value[int], count)
	if err == nil && n >= store.MaxKeys {
		err = fmt.Errorf("%s: %w: the tenant has %d; revoke those that are not needed, they are removed %d days later",
			noun, store.ErrLimit, n, int(store.DeadKeyLife.Hours()/24))
	}
	return err
}

func (w *work) insertJoinKey(actor string, k store.JoinKey) error {
	born, err := w.audit(actor, "key.create", k.ID, slog.String("network", k.Network.String()), slog.Int("uses", k.Uses), slog.Time("expires", k.Expires),
		slog.Bool("ephemeral", k.Ephemeral), slog.Bool("approve", k.Approve), slog.String("user", k.User), slog.Any("tags", k.Tags))
	if err != nil {
		return err
	}
	tags, err := json.Marshal(k.Tags)
	if err != nil {
		return err
	}
	return w.exec(insertJoinKey, int64(k.ID), int64(k.Network), k.Hash[:], k.Uses, k.Used, micro(k.Expires), k.Ephemeral, k.Approve, k.User, string(tags),
		k.Revoked, micro(k.Created), k.CreatedBy, int64(born), micro(w.now))
}

// RevokeJoinKey implements store.Handle.
func (h handle) RevokeJoinKey(ctx context.Context, actor string, id ident.JoinKey) error {
	return h.write(ctx, func(w *work) error {
		k, err := own(w, scanJoinKey, selectJoinKey, int64(id))
		if err != nil || k.Revoked {
			return missing(err, "join key", id)
		}
		return w.revokeJoinKey(actor, id)
	})
}

func (w *work) revokeJoinKey(actor string, id ident.JoinKey) error {
	if _, err := w.audit(actor, "key.revoke", id); err != nil {
		return err
	}
	return w.exec(revokeJoinKey, int64(id), micro(w.now))
}

// JoinKeys implements store.Handle.
func (h handle) JoinKeys(ctx context.Context, network ident.Network) ([]store.JoinKey, error) {
	if network.IsZero() {
		return readAll(ctx, h, scanJoinKey, selectJoinKeys)
	}
	return readAll(ctx, h, scanJoinKey, selectJoinKeysOf, int64(network))
}

// JoinKeyTenant implements store.Store.
func (s *Store) JoinKeyTenant(ctx context.Context, id ident.JoinKey) (ident.Tenant, error) {
	t, err := one(ctx, s.reader(), value[ident.Tenant], selectJoinKeyTenant, int64(id))
	return t, missing(err, "join key", id)
}

func scanJoinKey(rows *sql.Rows) (k store.JoinKey, err error) {
	var hash []byte
	var expires, created int64
	var tags string
	if err := rows.Scan(&k.ID, &k.Network, &hash, &k.Uses, &k.Used, &expires, &k.Ephemeral, &k.Approve, &k.User, &tags, &k.Revoked, &created, &k.CreatedBy); err != nil {
		return k, err
	}
	copy(k.Hash[:], hash)
	k.Expires, k.Created = instant(expires), instant(created)
	if err := json.Unmarshal([]byte(tags), &k.Tags); err != nil {
		return k, fmt.Errorf("join key %s: its tags: %w", k.ID, err)
	}
	return k, nil
}
