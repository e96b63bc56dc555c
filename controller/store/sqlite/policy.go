package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// PutPolicy implements store.Handle.
func (h handle) PutPolicy(ctx context.Context, network ident.Network, text []byte, author, comment, ifMatch string) (p store.Policy, err error) {
	if err := store.CheckPolicy(text); err != nil {
		return p, err
	}
	err = h.write(ctx, func(w *work) error {
		p, err = own(w, scanPolicy, selectPolicy, int64(network))
		if err != nil {
			return missing(err, "policy of network", network)
		}
		if ifMatch != "" && ifMatch != p.ETag {
			return fmt.Errorf("policy of network %s: %w: it is version %d with etag %s, not %s; look at it again", network, store.ErrConflict, p.Number, p.ETag, clean.Line(ifMatch, 80))
		}
		if string(p.Text) == string(text) {
			return nil
		}
		p, err = w.enact(store.Policy{Network: network, Number: p.Number + 1, Text: text, Author: author, Comment: comment})
		return err
	})
	return p, err
}

// enact writes a policy down as the network's newest, and forgets old ones.
func (w *work) enact(p store.Policy) (_ store.Policy, err error) {
	sum := sha256.Sum256(p.Text)
	p.ETag, p.Author, p.Comment, p.At = store.PolicyETag(p.Network, p.Number, sum), clean.Line(p.Author, maxActor), store.PolicyComment(p.Comment), w.now
	if p.Number > 1 {
		_, err := w.audit(p.Author, "policy.put", p.Network, slog.Uint64("number", p.Number), slog.Int("bytes", len(p.Text)), slog.String("etag", p.ETag), slog.String("comment", p.Comment))
		if err != nil {
			return p, err
		}
	}
	if p.Version, err = w.version(); err != nil {
		return p, err
	}
	told := p
	w.tell(p.Version, store.Change{Policy: &told})
	if err := w.exec(insertPolicy, int64(p.Network), int64(p.Number), len(p.Text), sum[:], p.Author, p.Comment, micro(p.At), int64(p.Version), string(p.Text)); err != nil {
		return p, err
	}
	return p, w.forgetPolicies(p.Network)
}

// forgetPolicies keeps the policy in force, and of the older ones, from the newest on, those within the bounds.
func (w *work) forgetPolicies(network ident.Network) error {
	all, err := allOwn(w, scanSize, policySizes, int64(network))
	if err != nil {
		return err
	}
	if old := store.OldPolicies(all); len(old) > 0 {
		return w.exec(forgetPolicies, int64(network), int64(old[0].Number))
	}
	return nil
}

func scanSize(rows *sql.Rows) (s store.PolicySize, err error) {
	err = rows.Scan(&s.Number, &s.Bytes)
	return s, err
}

// Policy implements store.Handle.
func (h handle) Policy(ctx context.Context, network ident.Network) (store.Policy, error) {
	p, err := read(ctx, h, scanPolicy, selectPolicy, int64(network))
	return p, missing(err, "policy of network", network)
}

// PoliciesInForce implements store.Handle.
func (h handle) PoliciesInForce(ctx context.Context) ([]store.Policy, error) {
	return readAll(ctx, h, scanPolicy, selectHeadsInForce)
}

// PolicyAt implements store.Handle.
func (h handle) PolicyAt(ctx context.Context, network ident.Network, number uint64) (store.Policy, error) {
	p, err := read(ctx, h, scanPolicy, selectPolicyAt, int64(network), int64(number))
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("version %d of the policy of network %s: %w; look at its history", number, network, err)
	}
	return p, err
}

// PolicyHistory implements store.Handle.
func (h handle) PolicyHistory(ctx context.Context, network ident.Network, below uint64, limit int) ([]store.Policy, error) {
	if below == 0 {
		below = math.MaxInt64
	}
	return readAll(ctx, h, scanPolicy, selectPolicies, int64(network), int64(min(below, math.MaxInt64)), max(limit, 0))
}

func scanPolicy(rows *sql.Rows) (p store.Policy, err error) {
	var sum []byte
	var at int64
	var text sql.NullString
	if err := rows.Scan(&p.Network, &p.Number, &sum, &p.Author, &p.Comment, &at, &p.Version, &text); err != nil {
		return p, err
	}
	if len(sum) != sha256.Size {
		return p, fmt.Errorf("policy %d of network %s: its sum has the wrong length", p.Number, p.Network)
	}
	p.ETag, p.At = store.PolicyETag(p.Network, p.Number, [32]byte(sum)), instant(at)
	if text.Valid {
		p.Text = []byte(text.String)
	}
	return p, nil
}
