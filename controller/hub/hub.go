package hub

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Times of the protocol and of the house.
const (
	helloPatience  = 10 * time.Second // from the first byte of a session to its Hello
	clonePatience  = 2 * time.Second  // for a live session's answer when a second one appears
	maxRest        = 50 * time.Millisecond
	seenEvery      = time.Minute      // for nodes that went offline
	onlineEvery    = 60               // times that, for nodes that are online: their last-seen time matters only after a crash
	EphemeralGrace = 30 * time.Minute // from the end of its session to the end of an ephemeral node
	maxRetry       = 30 * time.Second // retry_after spread over the nodes of a restart
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
	Now       func() time.Time
	Log       *slog.Logger
}

// Hub tells nodes what changes. New loads nothing; Run keeps it going.
type Hub struct {
	Config
	meta store.Meta

	mu      sync.Mutex
	tenants map[ident.Tenant]*tenant
	ctx     context.Context // of Run; nil before
	loops   sync.WaitGroup  // one a tenant, while Run runs
}

// New returns a hub that hears what the store commits from now on.
func New(c Config) *Hub {
	h := &Hub{Config: c, meta: c.Store.Meta(), tenants: map[ident.Tenant]*tenant{}}
	c.Store.Listen(h.committed)
	return h
}

// Run loads every tenant and tells its nodes what changes, until ctx is done. It returns when every session has been told
// to come back later and nothing of the hub's runs any more.
func (h *Hub) Run(ctx context.Context) error {
	all, err := h.Store.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("hub: list of tenants: %w", err)
	}
	h.mu.Lock()
	h.ctx = ctx
	h.mu.Unlock()
	for _, t := range all {
		if _, err := h.tenant(ctx, t.ID); err != nil {
			return err
		}
	}
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for minute := 1; ctx.Err() == nil; minute++ {
		select {
		case <-ctx.Done():
		case <-tick.C:
			h.each(func(t *tenant) {
				t.flushSeen(ctx, minute%onlineEvery == 0)
				t.forgetDeletions()
			})
		}
	}
	h.stop()
	return nil
}

func (h *Hub) stop() {
	last, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), time.Second)
	defer cancel()
	h.each(func(t *tenant) {
		t.sendAllAway()
		t.flushSeen(last, true)
	})
	h.loops.Wait()
}

func (h *Hub) each(do func(*tenant)) {
	h.mu.Lock()
	all := make([]*tenant, 0, len(h.tenants))
	for _, t := range h.tenants {
		all = append(all, t)
	}
	h.mu.Unlock()
	for _, t := range all {
		do(t)
	}
}

// tenant returns the live half of a tenant, loaded from the store the first time.
func (h *Hub) tenant(ctx context.Context, id ident.Tenant) (*tenant, error) {
	h.mu.Lock()
	t := h.tenants[id]
	if t == nil {
		t = newTenant(h, id)
		h.tenants[id] = t
	}
	h.mu.Unlock()
	return t, t.load(ctx)
}

// committed is the store's sink. A tenant that nobody has asked for yet is loaded later, with this change in it.
func (h *Hub) committed(id ident.Tenant, changes []store.Change) {
	h.mu.Lock()
	t := h.tenants[id]
	h.mu.Unlock()
	if t != nil {
		t.committed(changes)
	}
}

// startLoop runs the tenant's sender for as long as Run does.
func (h *Hub) startLoop(t *tenant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil || h.ctx.Err() != nil {
		return
	}
	h.loops.Go(func() { t.run(h.ctx) })
}

// Live tells an admin what is known of a node now.
type Live struct {
	Online    bool
	LastSeen  time.Time
	Since     time.Time // of the session, if online
	Transport stream.Transport
	Remote    string
	Endpoints []string
}

// Live reports the live state of a node; of an unknown one, the zero Live.
func (h *Hub) Live(id ident.Tenant, node ident.Node) Live {
	h.mu.Lock()
	t := h.tenants[id]
	h.mu.Unlock()
	if t == nil {
		return Live{}
	}
	return t.live(node)
}

// Sessions counts live sessions, for health and figures.
func (h *Hub) Sessions() int {
	n := 0
	h.each(func(t *tenant) {
		t.mu.Lock()
		n += len(t.sessions)
		t.mu.Unlock()
	})
	return n
}

func (h *Hub) log(t ident.Tenant, n ident.Node) *slog.Logger {
	return h.Log.With(logx.Tenant, t, logx.Node, n)
}
