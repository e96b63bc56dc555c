package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// Bounds of the writer.
const (
	maxQueue = 1024            // mutations that wait; more callers wait to wait
	maxBatch = 512             // mutations that one commit takes
	retry    = 2 * time.Second // between attempts to get well
)

var errClosed = errors.New("the store is closed")

// mutation is one caller's change on its way through the writer.
type mutation struct {
	ctx    context.Context // ends the wait in the queue; what was begun is finished
	tenant ident.Tenant
	apply  func(*work) error
	result error
	done   chan struct{}
}

// writer owns the connection that writes. See the package comment.
type writer struct {
	s     *Store
	sink  atomic.Pointer[store.Sink]
	ill   atomic.Pointer[illness]
	queue chan *mutation
	stop  chan struct{}
	gone  chan struct{}
	once  sync.Once

	// The goroutine's own.
	conn  *conn // nil when it could not be opened
	pools pools
}

func newWriter(s *Store) *writer {
	return &writer{s: s, queue: make(chan *mutation, maxQueue), stop: make(chan struct{}), gone: make(chan struct{}), pools: pools{}}
}

// write hands a mutation to the writer and waits for its outcome.
func (w *writer) write(ctx context.Context, tenant ident.Tenant, apply func(*work) error) error {
	m := &mutation{ctx: ctx, tenant: tenant, apply: apply, done: make(chan struct{})}
	select {
	case <-w.stop:
		return errClosed
	default:
	}
	select {
	case w.queue <- m:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	select {
	case <-m.done:
		return m.result
	case <-w.gone:
	}
	select {
	case <-m.done:
		return m.result
	default:
		return errClosed // it came too late to be taken
	}
}

// close ends the goroutine after what waits has been written. It reports whether it was the first call.
func (w *writer) close() (first bool) {
	w.once.Do(func() {
		first = true
		close(w.stop)
	})
	<-w.gone
	return first
}

// run is the writer's goroutine.
func (w *writer) run() {
	defer close(w.gone)
	tick := time.NewTicker(retry)
	tick.Stop()
	defer tick.Stop()
	well := true
	for {
		if ill := w.ill.Load(); well != (ill == nil) {
			if well = ill == nil; well || ill.incurable {
				tick.Stop()
			} else {
				tick.Reset(retry)
			}
		}
		select {
		case m := <-w.queue:
			w.round(w.gather(m))
		case <-tick.C:
			w.heal()
		case <-w.stop:
			w.drain()
			return
		}
	}
}

// gather takes what else waits: whoever comes while a commit is under way shares the next.
func (w *writer) gather(first *mutation) []*mutation {
	all := []*mutation{first}
	for len(all) < maxBatch {
		select {
		case m := <-w.queue:
			all = append(all, m)
		default:
			return all
		}
	}
	return all
}

func (w *writer) drain() {
	for {
		select {
		case m := <-w.queue:
			w.round(w.gather(m))
		default:
			return
		}
	}
}

// round commits mutations together, tells the sink and lets the callers go.
func (w *writer) round(all []*mutation) {
	ill := w.ill.Load()
	if ill == nil {
		b := &batch{writer: w, conn: w.conn, heads: map[ident.Tenant]head{}}
		if err := b.commit(all); err != nil {
			w.pools.forget()
			ill = w.fall(err)
		} else {
			b.tell()
		}
	}
	for _, m := range all {
		if ill != nil {
			m.result = ill.err()
		}
		close(m.done)
	}
}

// fall notes that the database cannot be written. When room is missing, it gives up the ballast and lets SQLite move what it can
// out of the log, so that little is left to be done when the program starts again on that disk.
func (w *writer) fall(err error) *illness {
	ill := w.s.sicken(err)
	if ill.full && w.conn != nil {
		w.conn.exec(checkpoint)
	}
	return ill
}

// heal tries whether the database can be written again, on a new connection.
func (w *writer) heal() {
	if w.conn != nil {
		if err := w.conn.close(); err != nil {
			w.s.Log.Debug("the ill connection did not close cleanly", logx.Err, err)
		}
		w.conn = nil
	}
	c, err := w.s.getWell()
	if err != nil {
		w.s.sicken(err)
		return
	}
	w.conn = c
	w.ill.Store(nil)
	w.s.Log.Info("the database can be written again")
}

// try writes something that says nothing.
func try(c *conn) error {
	for _, s := range []statement{begin, probe, commit} {
		if _, err := c.exec(s); err != nil {
			c.exec(rollback)
			return fmt.Errorf("probe: %w", err)
		}
	}
	return nil
}
