package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// CreateRelay implements store.Store. The provider's trail tells of it.
func (s *Store) CreateRelay(ctx context.Context, actor string, r store.Relay) (store.Relay, error) {
	if err := store.CheckRelay(r); err != nil {
		return r, err
	}
	err := s.w.write(ctx, store.Provider, func(w *work) error {
		if err := w.mayCreateRelay(r); err != nil {
			return err
		}
		if r.ID.IsZero() {
			r.ID = ident.New[ident.Relay]()
		}
		r.Created, r.CreatedBy, r.Expires = w.now, clean.Line(actor, maxActor), instant(micro(r.Expires))
		detail := []slog.Attr{slog.String("name", r.Name), slog.String("region", r.Region), slog.Any("addresses", r.Addresses)}
		if !r.Tenant.IsZero() {
			detail = append(detail, slog.String("tenant", r.Tenant.String()))
		}
		if !r.Node.IsZero() {
			detail = append(detail, slog.String("node", r.Node.String()))
		}
		born, err := w.audit(actor, "relay.create", r.ID, detail...)
		if err != nil {
			return err
		}
		addresses, err := json.Marshal(r.Addresses)
		if err != nil {
			return err
		}
		_, err = w.conn.exec(insertRelay, int64(r.ID), int64(r.Tenant), r.Name, r.Region, string(addresses), r.Hash[:], micro(r.Expires),
			micro(r.Created), r.CreatedBy, int64(born), int64(r.Node))
		return err
	})
	return r, err
}

func (w *work) mayCreateRelay(r store.Relay) error {
	ctx := context.Background()
	if n, err := one(ctx, w.conn, value[int], countRelays); err != nil {
		return err
	} else if n >= store.MaxRelays {
		return fmt.Errorf("relay %q: %w: there are %d relays", r.Name, store.ErrLimit, n)
	}
	if !r.Tenant.IsZero() {
		if _, err := one(ctx, w.conn, scanTenant, selectTenant, int64(r.Tenant)); err != nil {
			return missing(err, "tenant", r.Tenant)
		}
	}
	if !r.Node.IsZero() {
		if _, err := one(ctx, w.conn, scanNode, selectNode, int64(r.Tenant), int64(r.Node)); err != nil {
			return missing(err, "node", r.Node)
		}
		if err := w.isNoRelay(r.Node); err != nil {
			return err
		}
	}
	for s, arg := range map[statement]any{selectRelayByName: r.Name, selectRelay: int64(r.ID)} {
		switch _, err := one(ctx, w.conn, scanRelay, s, arg); {
		case err == nil:
			return fmt.Errorf("relay %q: %w; choose another name", r.Name, store.ErrExists)
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return nil
}

// isNoRelay refuses a node that is a relay already: it would never become the second.
func (w *work) isNoRelay(n ident.Node) error {
	all, err := list(context.Background(), w.conn, scanRelay, selectRelays)
	for _, o := range all {
		if o.Node == n {
			return fmt.Errorf("node %s: %w: it is the relay %s already; delete that first", n, store.ErrConflict, o.Name)
		}
	}
	return err
}

// Relays implements store.Store.
func (s *Store) Relays(ctx context.Context) ([]store.Relay, error) {
	return list(ctx, s.reader(), scanRelay, selectRelays)
}

// Relay implements store.Store.
func (s *Store) Relay(ctx context.Context, id ident.Relay) (store.Relay, error) {
	r, err := one(ctx, s.reader(), scanRelay, selectRelay, int64(id))
	return r, missing(err, "relay", id)
}

// RelayByName implements store.Store.
func (s *Store) RelayByName(ctx context.Context, name string) (store.Relay, error) {
	r, err := one(ctx, s.reader(), scanRelay, selectRelayByName, name)
	return r, named(err, "relay", name)
}

// DeleteRelay implements store.Store.
func (s *Store) DeleteRelay(ctx context.Context, actor string, id ident.Relay) error {
	return s.changeRelay(ctx, id, func(w *work, r *store.Relay) error {
		if _, err := w.audit(actor, "relay.delete", id, slog.String("name", r.Name)); err != nil {
			return err
		}
		if _, err := w.conn.exec(deleteMeters, int64(id)); err != nil {
			return err
		}
		_, err := w.conn.exec(deleteRelay, int64(id))
		return err
	})
}

// RedeemRelay implements store.Store. Who does not know the secret learns nothing.
func (s *Store) RedeemRelay(ctx context.Context, id ident.Relay, secret key.Secret, identity key.IdentityPublic) (r store.Relay, err error) {
	err = s.changeRelay(ctx, id, func(w *work, found *store.Relay) error {
		if err := w.mayRedeem(found, secret, identity); err != nil {
			return err
		}
		if err := found.Redeemable(identity, w.now); err != nil {
			return err
		}
		if r = *found; !r.Joined.IsZero() {
			return nil
		}
		r.Identity, r.Joined = identity, w.now
		if _, err := w.audit("relay "+id.String(), "relay.join", id, slog.String("name", r.Name)); err != nil {
			return err
		}
		_, err := w.conn.exec(redeemRelay, int64(id), identity[:], micro(w.now))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("key of relay %s: %w", id, store.ErrKeyUnknown)
	}
	return r, err
}

// mayRedeem checks who wants to be a relay: whoever knows the secret of its key, or the node that the relay is to be, which is known by its identity.
func (w *work) mayRedeem(r *store.Relay, secret key.Secret, identity key.IdentityPublic) error {
	unknown := fmt.Errorf("key of relay %s: %w", r.ID, store.ErrKeyUnknown)
	if r.Node.IsZero() {
		if !secret.Matches(r.Hash[:]) {
			return unknown
		}
		return nil
	}
	n, err := one(context.Background(), w.conn, scanNode, selectNode, int64(r.Tenant), int64(r.Node))
	if errors.Is(err, store.ErrNotFound) || err == nil && n.Identity != identity {
		return unknown
	}
	return err
}

// RelayRenewed implements store.Store.
func (s *Store) RelayRenewed(ctx context.Context, id ident.Relay, until time.Time) error {
	return s.changeRelay(ctx, id, func(w *work, _ *store.Relay) error {
		if _, err := w.audit(system, "relay.renew", id, slog.Time("until", until)); err != nil {
			return err
		}
		_, err := w.conn.exec(renewRelay, int64(id), micro(until))
		return err
	})
}

// RelayReported implements store.Store.
func (s *Store) RelayReported(ctx context.Context, id ident.Relay, r store.RelayReport) error {
	addresses, err := json.Marshal(r.Addresses)
	if err != nil {
		return err
	}
	return s.changeRelay(ctx, id, func(w *work, _ *store.Relay) error {
		_, err := w.conn.exec(relayReported, int64(id), string(addresses), r.Region, int(r.STUN), r.Software, micro(w.now))
		return err
	})
}

// changeRelay reads a relay and lets f write.
func (s *Store) changeRelay(ctx context.Context, id ident.Relay, f func(*work, *store.Relay) error) error {
	return s.w.write(ctx, store.Provider, func(w *work) error {
		r, err := one(ctx, w.conn, scanRelay, selectRelay, int64(id))
		if err != nil {
			return missing(err, "relay", id)
		}
		return f(w, &r)
	})
}

func scanRelay(rows *sql.Rows) (r store.Relay, err error) {
	var hash, identity []byte
	var addresses, reported string
	var expires, joined, until, created, seen int64
	if err := rows.Scan(&r.ID, &r.Tenant, &r.Node, &r.Name, &r.Region, &addresses, &hash, &expires, &identity, &joined, &until, &created, &r.CreatedBy,
		&reported, &r.LastReport.Region, &r.LastReport.STUN, &r.LastReport.Software, &seen); err != nil {
		return r, err
	}
	copy(r.Hash[:], hash)
	copy(r.Identity[:], identity)
	r.Expires, r.Joined, r.CertUntil, r.Created, r.LastSeen = instant(expires), instant(joined), instant(until), instant(created), instant(seen)
	err = errors.Join(json.Unmarshal([]byte(addresses), &r.Addresses), json.Unmarshal([]byte(reported), &r.LastReport.Addresses))
	if err != nil {
		return r, fmt.Errorf("relay %s: its addresses: %w", r.ID, err)
	}
	return r, nil
}

// outlaw revokes a deleted node's certificates, and remembers the node for as long as it may show one. The end that was noted is not enough: that note is
// written after the certificate was given.
func (w *work) outlaw(n store.Node) error {
	until := w.now.Add(store.CertLife)
	if n.CertUntil.After(until) {
		until = n.CertUntil
	}
	if err := w.exec(forgetRemovedNodes, micro(w.now)); err != nil {
		return err
	}
	if err := w.revokeNode(n.ID); err != nil {
		return err
	}
	return w.exec(insertRemovedNode, int64(n.ID), micro(until))
}

// RemovedNodes implements store.Store.
func (s *Store) RemovedNodes(ctx context.Context) ([]store.RemovedNode, error) {
	return list(ctx, s.reader(), scanRemovedNode, selectRemovedNodes, micro(s.Now()))
}

func scanRemovedNode(rows *sql.Rows) (n store.RemovedNode, err error) {
	var until int64
	err = rows.Scan(&n.Tenant, &n.Node, &until)
	if until > 0 { // else it waits
		n.Until = instant(until)
	}
	return n, err
}

const day = 24 * time.Hour

// AddRelayed implements store.Store. It is no change that anybody decided: no event.
func (s *Store) AddRelayed(ctx context.Context, m store.Metered) error {
	return s.changeRelay(ctx, m.Relay, func(w *work, _ *store.Relay) error {
		for t, n := range m.Bytes {
			if _, err := one(ctx, w.conn, scanTenant, selectTenant, int64(t)); errors.Is(err, store.ErrNotFound) {
				continue // a relay knows it from before a backup was restored
			} else if err != nil {
				return err
			}
			if err := w.meter(m, t, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// meter adds what is new in one count.
func (w *work) meter(m store.Metered, t ident.Tenant, count uint64) error {
	old, err := one(context.Background(), w.conn, scanMeter, selectMeter, int64(m.Relay), int64(t))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	count = min(count, store.MaxMetered)
	more := count
	if old.instance == m.Instance {
		if count <= old.bytes {
			return nil
		}
		more = count - old.bytes
	}
	if _, err := w.conn.exec(setMeter, int64(m.Relay), int64(t), m.Instance[:], int64(count)); err != nil {
		return err
	}
	_, err = w.conn.exec(addRelayed, int64(t), w.now.Unix()/int64(day/time.Second), int64(more))
	return err
}

// meterRow is how much of a relay's count has been added.
type meterRow struct {
	instance [16]byte
	bytes    uint64
}

func scanMeter(rows *sql.Rows) (r meterRow, err error) {
	var instance []byte
	err = rows.Scan(&instance, &r.bytes)
	copy(r.instance[:], instance)
	return r, err
}

// Relayed implements store.Store.
func (s *Store) Relayed(ctx context.Context, since time.Time) ([]store.Usage, error) {
	return list(ctx, s.reader(), scanUsage, selectRelayed, since.Unix()/int64(day/time.Second))
}

func scanUsage(rows *sql.Rows) (u store.Usage, err error) {
	var d int64
	err = rows.Scan(&u.Tenant, &d, &u.Bytes)
	u.Day = time.Unix(d*int64(day/time.Second), 0).UTC()
	return u, err
}
