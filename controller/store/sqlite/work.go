package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cvlan/cvlan/controller/audit"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// maxActor bounds what is kept of who did something, in runes.
const maxActor = 200

// head is what a tenant's row counts.
type head struct {
	hard, floor, tombs, users uint64
	last                      audit.Link // of its audit trail
}

// work is one mutation under way, inside the writer's transaction.
type work struct {
	*batch
	tenant  ident.Tenant
	now     time.Time // whole microseconds, UTC
	heads   map[ident.Tenant]*head
	changes []store.Change
	pooled  bool // it took or released addresses
}

// exec runs a statement of the tenant: its first parameter is filled in here.
func (w *work) exec(s statement, args ...any) error {
	_, err := w.change(s, args...)
	return err
}

// change is exec for those who want to know how many rows were changed.
func (w *work) change(s statement, args ...any) (int64, error) {
	return w.conn.exec(s, w.tenantFirst(args)...)
}

func (w *work) tenantFirst(args []any) []any { return append([]any{int64(w.tenant)}, args...) }

// own reads one row of the tenant inside the transaction.
func own[T any](w *work, scan func(*sql.Rows) (T, error), s statement, args ...any) (T, error) {
	return one(context.Background(), w.conn, scan, s, w.tenantFirst(args)...)
}

// allOwn reads rows of the tenant inside the transaction.
func allOwn[T any](w *work, scan func(*sql.Rows) (T, error), s statement, args ...any) ([]T, error) {
	return list(context.Background(), w.conn, scan, s, w.tenantFirst(args)...)
}

// headOf returns a tenant's counters, to be changed; they are written when the batch is.
func (w *work) headOf(id ident.Tenant) (*head, error) {
	if h := w.heads[id]; h != nil {
		return h, nil
	}
	h, known := w.batch.heads[id]
	if !known {
		var err error
		if h, err = one(context.Background(), w.conn, scanHead, selectHead, int64(id)); errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("tenant %s: %w", id, err)
		} else if err != nil {
			return nil, err
		}
	}
	w.heads[id] = &h
	return &h, nil
}

// version raises the tenant's hard version and returns it.
func (w *work) version() (uint64, error) {
	h, err := w.headOf(w.tenant)
	if err != nil {
		return 0, err
	}
	h.hard++
	return h.hard, nil
}

// tell notes what the sink is to hear if this is committed.
func (w *work) tell(version uint64, c store.Change) {
	c.Version, c.At = version, w.now
	w.changes = append(w.changes, c)
}

// audit writes the mutation's event into the tenant's trail and returns its number.
func (w *work) audit(actor, action string, target fmt.Stringer, detail ...slog.Attr) (uint64, error) {
	return w.auditIn(w.tenant, actor, action, target, detail...)
}

func (w *work) auditIn(id ident.Tenant, actor, action string, target fmt.Stringer, detail ...slog.Attr) (uint64, error) {
	h, err := w.headOf(id)
	if err != nil {
		return 0, err
	}
	e := store.Event{Seq: h.last.Seq + 1, At: w.now, Actor: clean.Line(actor, maxActor), Action: action, Target: target.String(),
		Detail: audit.Detail(detail...), Prev: h.last.Hash}
	e.Hash = audit.Hash(id, e.Prev, e)
	_, err = w.conn.exec(insertEvent, int64(id), int64(e.Seq), micro(e.At), e.Actor, e.Action, e.Target, e.Detail, e.Prev[:], e.Hash[:])
	h.last = audit.Link{Seq: e.Seq, Hash: e.Hash}
	return e.Seq, err
}

func scanHead(rows *sql.Rows) (h head, err error) {
	var hash []byte
	err = rows.Scan(&h.hard, &h.floor, &h.tombs, &h.users, &h.last.Seq, &hash)
	copy(h.last.Hash[:], hash)
	return h, err
}
