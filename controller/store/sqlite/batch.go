package sqlite

import (
	"errors"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
)

// batch is the mutations of one commit.
type batch struct {
	*writer
	conn  *conn
	heads map[ident.Tenant]head // of the tenants that it changes
	told  []told
	alone bool // there is one mutation
}

// told is what the sink hears of one tenant, in order.
type told struct {
	tenant  ident.Tenant
	changes []store.Change
}

// commit runs each mutation, refused ones leaving no trace, and makes the rest durable. An error concerns all of them: nothing
// was changed.
func (b *batch) commit(all []*mutation) error {
	if _, err := b.conn.exec(begin); err != nil {
		return err
	}
	b.alone = len(all) == 1
	for _, m := range all {
		if m.result = m.ctx.Err(); m.result != nil {
			continue
		}
		if err := b.run(m); err != nil {
			return b.abort(err)
		}
	}
	if err := b.flush(); err != nil {
		return b.abort(err)
	}
	if _, err := b.conn.exec(commit); err != nil {
		return b.abort(err)
	}
	return nil
}

// abort undoes the whole batch. SQLite may have done so itself already; then the statement fails, and that is as good.
func (b *batch) abort(err error) error {
	b.conn.exec(rollback)
	return err
}

// run does one mutation in a savepoint and notes its result. Its error is one that no mutation can go on after.
func (b *batch) run(m *mutation) error {
	if err := b.mark(savepoint); err != nil {
		return err
	}
	w := &work{batch: b, tenant: m.tenant, now: b.s.Now().UTC().Truncate(time.Microsecond), heads: map[ident.Tenant]*head{}}
	if m.result = m.apply(w); m.result != nil {
		return b.refuse(w, m.result)
	}
	if err := b.mark(release); err != nil {
		return err
	}
	for id, h := range w.heads {
		b.heads[id] = *h
	}
	b.note(m.tenant, w.changes)
	return nil
}

// refuse undoes what a refused mutation did.
func (b *batch) refuse(w *work, why error) error {
	if w.pooled {
		b.pools.forget()
	}
	if diagnose(why, b.s.Dir) != nil {
		return why
	}
	if b.alone {
		_, err := b.conn.exec(rollback)
		if err == nil {
			_, err = b.conn.exec(begin)
		}
		return err
	}
	return errors.Join(b.mark(rollbackOne), b.mark(release))
}

// mark makes or ends a savepoint. A mutation that is alone in its transaction needs none.
func (b *batch) mark(s statement) error {
	if b.alone {
		return nil
	}
	_, err := b.conn.exec(s)
	return err
}

func (b *batch) note(id ident.Tenant, changes []store.Change) {
	if len(changes) == 0 {
		return
	}
	if n := len(b.told); n > 0 && b.told[n-1].tenant == id {
		b.told[n-1].changes = append(b.told[n-1].changes, changes...)
		return
	}
	b.told = append(b.told, told{id, changes})
}

// flush writes the counters of every tenant that was changed, once.
func (b *batch) flush() error {
	for id, h := range b.heads {
		if _, err := b.conn.exec(updateHead, int64(id), int64(h.hard), int64(h.floor), int64(h.tombs), int64(h.users), int64(h.last.Seq), h.last.Hash[:]); err != nil {
			return err
		}
	}
	return nil
}

// tell lets the sink hear what was committed.
func (b *batch) tell() {
	sink := b.sink.Load()
	if sink == nil {
		return
	}
	for _, t := range b.told {
		(*sink)(t.tenant, t.changes)
	}
}
