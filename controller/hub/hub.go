package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// EphemeralGrace is from the end of its session, or from the controller's start, to the end of an ephemeral node.
const EphemeralGrace = 30 * time.Minute

// Upkeep goes round every upkeepEvery; what is less pressing is done every so many rounds.
const (
	upkeepEvery = 10 * time.Second
	seenEvery   = 6   // last-seen times of nodes that went offline, and old deletions
	onlineEvery = 360 // last-seen times of nodes that are online: they matter only after a crash
)

// Renewer answers a node's request for a new certificate.
type Renewer interface {
	Renew(ctx context.Context, tenant ident.Tenant, node ident.Node, csr []byte) *pb.Frame
}

// Config is what a hub works with.
type Config struct {
	Store     store.Store
	Renewer   Renewer
	Boot      uint64           // random, another for each start of the controller
	Transport stream.Transport // what nodes are asked to use; Auto: as they like
	Addresses []string         // told to nodes: where this controller is reached
	// Relays returns the relays that a tenant's nodes may use; nil: none. RelaysChanged says that it returns others.
	Relays func(ident.Tenant) []control.Relay
	// Removed hears of nodes that were deleted, when it is committed; nil: nobody does. It must not block.
	Removed func(ident.Tenant, ident.Node, time.Time)
	// Waits hears, likewise, of nodes that were changed, and whether they wait for approval.
	Waits func(ident.Tenant, ident.Node, bool)
	Now   func() time.Time
	Log   *slog.Logger
}

// Hub tells nodes what changes. New loads nothing; Run keeps it going.
type Hub struct {
	Config
	meta store.Meta

	mu      sync.Mutex
	tenants map[ident.Tenant]*tenant
	ctx     context.Context // of Run; nil before
	loops   sync.WaitGroup  // senders, and what they start
}

// New returns a hub that hears what the store commits from now on.
func New(c Config) *Hub {
	h := &Hub{Config: c, meta: c.Store.Meta(), tenants: map[ident.Tenant]*tenant{}}
	c.Store.Listen(h.committed)
	return h
}

// Run loads every tenant and tells its nodes what changes, until ctx is done. It returns when every session has been told
// to come back later and nothing of the hub's runs any more. A tenant that cannot be loaded does not keep the others waiting: it is
// tried again whenever one of its nodes comes.
func (h *Hub) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	h.ctx = ctx // senders may run from now on, also those of tenants whose nodes were quicker
	h.mu.Unlock()
	all, err := h.Store.Tenants(ctx)
	if err == nil {
		h.loadAll(ctx, all)
		h.upkeep(ctx)
	} else if err = fmt.Errorf("hub: list of tenants: %w", err); ctx.Err() != nil {
		err = nil // told to stop before it began
	}
	cancel()
	h.stop()
	return err
}

func (h *Hub) loadAll(ctx context.Context, all []store.Tenant) {
	for _, t := range all {
		if _, err := h.tenant(ctx, t.ID); err != nil && ctx.Err() == nil {
			h.Log.Error("tenant not loaded", logx.Tenant, t.ID, logx.Err, err)
		}
	}
}

// upkeep does what time demands, until ctx is done.
func (h *Hub) upkeep(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for round := 1; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, t := range h.all() {
			t.expire(ctx)
			t.retryGrants()
			if round%seenEvery == 0 {
				t.flushSeen(ctx, round%onlineEvery == 0)
				t.forgetDeletions()
			}
		}
	}
}

// lastWrite bounds what is written at the very end.
const lastWrite = 2 * time.Second

// stop ends all sessions, writes down when their nodes were last seen, and waits for the senders.
func (h *Hub) stop() {
	all := h.all()
	var sessions []*session
	for _, t := range all {
		sessions = append(sessions, t.close()...)
	}
	sendAway(sessions)
	last, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), lastWrite)
	defer cancel()
	var written sync.WaitGroup
	for _, t := range all {
		written.Go(func() { t.flushSeen(last, true) })
	}
	written.Wait()
	h.loops.Wait()
}

func (h *Hub) all() []*tenant {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*tenant, 0, len(h.tenants))
	for _, t := range h.tenants {
		all = append(all, t)
	}
	return all
}

// known returns the live half of a tenant, or nil.
func (h *Hub) known(id ident.Tenant) *tenant {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tenants[id]
}

// tenant returns the live half of a tenant, loaded from the store the first time, with its sender running if Run does. While the hub
// stops there is none.
func (h *Hub) tenant(ctx context.Context, id ident.Tenant) (*tenant, error) {
	t := h.enter(id)
	if t == nil {
		return nil, &restarting
	}
	if err := t.load(ctx); err != nil {
		if errors.Is(err, store.ErrNotFound) { // its nodes know it from before a backup was restored
			h.forget(t)
		}
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.startLocked(t)
	return t, nil
}

// enter returns the place of a tenant, which may not be loaded yet, or nil when the hub stops: what close has not seen is not to be.
func (h *Hub) enter(id ident.Tenant) *tenant {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx != nil && h.ctx.Err() != nil {
		return nil
	}
	t := h.tenants[id]
	if t == nil {
		t = newTenant(h, id)
		h.tenants[id] = t
	}
	return t
}

func (h *Hub) forget(t *tenant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tenants[t.id] == t {
		delete(h.tenants, t.id)
	}
}

// startLocked runs a tenant's sender for as long as Run does, once.
func (h *Hub) startLocked(t *tenant) {
	if t.sending || h.ctx == nil || h.ctx.Err() != nil {
		return
	}
	t.sending = true
	ctx := h.ctx
	h.loops.Go(func() { t.run(ctx) })
}

// committed is the store's sink. A tenant that nobody has asked for yet is loaded later, with this change in it.
func (h *Hub) committed(id ident.Tenant, changes []store.Change) {
	for _, c := range changes {
		if c.Removed != nil && h.Removed != nil {
			h.Removed(id, c.Removed.ID, c.At.Add(store.CertLife))
		}
		if c.Node != nil && h.Waits != nil {
			h.Waits(id, c.Node.ID, c.Node.Pending)
		}
	}
	if t := h.known(id); t != nil {
		t.committed(changes)
	}
}

func (h *Hub) log(t ident.Tenant, n ident.Node) *slog.Logger {
	return h.Log.With(logx.Tenant, t, logx.Node, n)
}
