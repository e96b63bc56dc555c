package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Renewer answers a relay's request for a new certificate.
type Renewer interface {
	RenewRelay(ctx context.Context, id ident.Relay, csr []byte) *pb.Frame
}

// Config is what a fleet works with.
type Config struct {
	Store     store.Store
	Renewer   Renewer
	Addresses []string // told to relays: where this controller is reached
	// Changed is called, without a lock, when what nodes are told of relays has changed.
	Changed func()
	Now     func() time.Time
	Log     *slog.Logger
}

// Fleet is all relays. It may be used from any goroutine.
type Fleet struct {
	Config

	mu     sync.Mutex
	relays map[ident.Relay]*relay
	wait   map[ident.Node]bool // those that wait for approval
	closed bool
	wg     sync.WaitGroup // sessions' senders
}

// relay is one relay and its session, if it has one.
type relay struct {
	store.Relay
	draining bool
	clients  uint32
	session  *session
	metered  *store.Metered // not yet written down
}

// Open returns the fleet that the store has.
func Open(ctx context.Context, c Config) (*Fleet, error) {
	f := &Fleet{Config: c, relays: map[ident.Relay]*relay{}, wait: map[ident.Node]bool{}}
	all, err := c.Store.Relays(ctx)
	if err != nil {
		return nil, fmt.Errorf("list of relays: %w", err)
	}
	for _, r := range all {
		f.relays[r.ID] = &relay{Relay: r}
	}
	return f, f.orphans(ctx)
}

// orphans deletes the relays whose nodes were removed when nobody was there to do it, and takes note of the nodes that wait.
func (f *Fleet) orphans(ctx context.Context) error {
	gone, err := f.Store.RemovedNodes(ctx)
	if err != nil {
		return fmt.Errorf("list of removed nodes: %w", err)
	}
	for _, n := range gone {
		if n.Waits() {
			f.wait[n.Node] = true
			continue
		}
		for _, r := range f.relays {
			if r.Node == n.Node && r.Tenant == n.Tenant {
				if err := f.Store.DeleteRelay(ctx, "controller", r.ID); err != nil {
					return fmt.Errorf("delete the relay of a removed node: %w", err)
				}
				delete(f.relays, r.ID)
			}
		}
	}
	return nil
}

// flushEvery is how often counters are written down.
const flushEvery = time.Minute

// Run writes counters down until ctx is done, and then tells all relays that the controller goes.
func (f *Fleet) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.flush(ctx)
			continue
		case <-ctx.Done():
		}
		break
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for _, s := range f.close() {
		f.wg.Go(func() { s.away(restarting) })
	}
	f.wg.Wait()
	f.flush(last)
	return nil
}

func (f *Fleet) close() (all []*session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, r := range f.relays {
		if r.session != nil {
			all = append(all, r.session)
		}
	}
	return all
}

// flush writes down what relays have counted. What cannot be written waits: counts are totals.
func (f *Fleet) flush(ctx context.Context) {
	for _, m := range f.takeMetered() {
		err := f.Store.AddRelayed(ctx, m)
		if err == nil {
			continue
		}
		f.Log.Warn("what a relay has carried is not written down", logx.Err, err, "relay", m.Relay)
		f.mu.Lock()
		if r := f.relays[m.Relay]; r != nil && r.metered == nil {
			r.metered = &m
		}
		f.mu.Unlock()
	}
}

func (f *Fleet) takeMetered() (all []store.Metered) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.relays {
		if r.metered != nil {
			all = append(all, *r.metered)
			r.metered = nil
		}
	}
	return all
}

// Relays returns what the nodes of a tenant are told, in the order of identifiers; zero: of all tenants.
func (f *Fleet) Relays(t ident.Tenant) []control.Relay {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.listLocked(t, 0)
}

// listLocked leaves one relay out: a relay is not its own neighbour.
func (f *Fleet) listLocked(t ident.Tenant, but ident.Relay) (all []control.Relay) {
	for _, r := range f.relays {
		e, ok := r.Entry()
		if !ok || r.ID == but || !r.serves(t) || but != 0 && len(e.Addresses) == 0 {
			continue
		}
		e.Draining = r.draining
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b control.Relay) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// regionLocked are the relays that a relay exchanges frames with: of its region and for exactly its clients, so that none learns of nodes that it does not serve.
func (f *Fleet) regionLocked(of store.Relay) (all []ident.Relay) {
	own, _ := of.Entry()
	for _, r := range f.relays {
		if e, ok := r.Entry(); ok && len(e.Addresses) > 0 && r.ID != of.ID && r.Tenant == of.Tenant && e.Region != "" && e.Region == own.Region {
			all = append(all, r.ID)
		}
	}
	slices.Sort(all)
	return all
}

// serves reports whether nodes of a tenant may use the relay.
func (r *relay) serves(t ident.Tenant) bool { return r.Tenant.IsZero() || r.Tenant == t }

// Create makes a relay.
func (f *Fleet) Create(ctx context.Context, actor string, r store.Relay) (store.Relay, error) {
	r, err := f.Store.CreateRelay(ctx, actor, r)
	if err != nil {
		return r, err
	}
	f.mu.Lock()
	f.relays[r.ID] = &relay{Relay: r}
	f.mu.Unlock()
	if !r.Node.IsZero() { // of others nobody hears before they have joined
		f.told()
	}
	return r, nil
}

// Delete takes a relay's right to be one: its session ends and nodes forget it. What it has admitted it keeps until nodes leave it.
func (f *Fleet) Delete(ctx context.Context, actor string, id ident.Relay) error {
	if err := f.Store.DeleteRelay(ctx, actor, id); err != nil {
		return err
	}
	f.mu.Lock()
	r := f.relays[id]
	delete(f.relays, id)
	if r != nil && r.session != nil && !f.closed {
		f.wg.Go(func() { r.session.away(removed) })
	}
	f.mu.Unlock()
	f.told()
	return nil
}

// Joined notes that a machine has redeemed a relay's key.
func (f *Fleet) Joined(r store.Relay) {
	f.mu.Lock()
	if known := f.relays[r.ID]; known != nil {
		known.Identity, known.Joined = r.Identity, r.Joined
	}
	f.mu.Unlock()
	f.told()
}

// told tells everybody who has to know that the list has changed.
func (f *Fleet) told() {
	f.mu.Lock()
	for _, r := range f.relays {
		if r.session != nil {
			r.session.wantNeighbours()
		}
	}
	f.mu.Unlock()
	f.Changed()
}

// NodeRemoved tells relays to turn a node away, and deletes the relay that it was. It does not block.
func (f *Fleet) NodeRemoved(t ident.Tenant, n ident.Node, until time.Time) {
	f.each(t, func(s *session) { s.removedLocked(entry(store.RemovedNode{Tenant: t, Node: n, Until: until})) })
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wait, n)
	for _, r := range f.relays {
		if r.Node == n && !n.IsZero() && !f.closed {
			f.wg.Go(func() { f.orphan(r.Relay) })
		}
	}
}

// NodeWaits tells relays that a node waits for approval and is to be turned away, or that it does no more. It does not block.
func (f *Fleet) NodeWaits(t ident.Tenant, n ident.Node, waits bool) {
	f.mu.Lock()
	was := f.wait[n]
	if f.wait[n] = waits; !waits {
		delete(f.wait, n)
	}
	f.mu.Unlock()
	if was == waits {
		return
	}
	e := entry(store.RemovedNode{Tenant: t, Node: n})
	if !waits {
		e.Until = 0
	}
	f.each(t, func(s *session) { s.removedLocked(e) })
}

// entry is a node that relays turn away, in their words.
func entry(n store.RemovedNode) *pb.RemovedNode {
	m := &pb.RemovedNode{Tenant: uint64(n.Tenant), Node: uint64(n.Node), Until: math.MaxInt64}
	if !n.Waits() {
		m.Until = n.Until.Unix()
	}
	return m
}

// orphan deletes a relay whose node was removed.
func (f *Fleet) orphan(r store.Relay) {
	ctx, cancel := context.WithTimeout(context.Background(), sendPatience)
	defer cancel()
	if err := f.Delete(ctx, "controller", r.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		f.Log.Warn("the relay of a removed node is not deleted", logx.Err, err, "relay", r.ID, logx.Name, r.Name)
	}
}

// AuthoritiesChanged tells relays by what they know a tenant's nodes: the tenant is new, or its authority has another key.
func (f *Fleet) AuthoritiesChanged(t ident.Tenant) {
	f.each(t, func(s *session) { s.tenants = append(s.tenants, t) })
}

// each changes what waits in the sessions of the relays that serve a tenant, and wakes their senders.
func (f *Fleet) each(t ident.Tenant, do func(*session)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.relays {
		if r.session != nil && r.serves(t) {
			do(r.session)
			r.session.nudge()
		}
	}
}

// Live is what is known of a relay now.
type Live struct {
	Online   bool
	Since    time.Time
	Remote   string
	Clients  int
	Draining bool
}

// Live reports a relay's session.
func (f *Fleet) Live(id ident.Relay) (l Live) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.relays[id]
	if r == nil || r.session == nil {
		return l
	}
	return Live{true, r.session.since, r.session.stream.Info().Remote.String(), int(r.clients), r.draining}
}

// served returns the tenants of a relay that there are.
func (f *Fleet) served(ctx context.Context, r store.Relay) ([]ident.Tenant, error) {
	if !r.Tenant.IsZero() {
		return []ident.Tenant{r.Tenant}, nil
	}
	all, err := f.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[ident.Tenant]bool{}
	for _, t := range all {
		ids[t.ID] = true
	}
	return slices.Sorted(maps.Keys(ids)), nil
}
