package hub

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// A tenant is the live half of one tenant: its view, its sessions, and the marks of those who lack something. Every map has at most
// one entry a node.
type tenant struct {
	id      ident.Tenant
	hub     *Hub
	sending bool // its sender has been started; the hub's lock guards it

	mu       sync.Mutex
	view     *view.View // nil until loaded
	name     string
	nodes    map[ident.Node]*node
	sessions map[ident.Node]*session
	marked   map[ident.Node]struct{}
	seen     map[ident.Node]time.Time // not yet written down
	parting  map[ident.Node]time.Time // when an ephemeral node without a session goes
	closed   bool                     // the hub stops: no more sessions
	wake     chan struct{}            // holds one
	audience []ident.Node             // scratch

	loaded   uint64 // version that the load has brought
	networks map[ident.Network]*store.Network
	books    map[ident.Network]*book // one for each network
	users    map[string]compile.User // by login
	plains   map[ident.Plain]*store.Plain

	routers   map[ident.Node]struct{} // that offer to forward
	ungranted map[ident.Node]struct{} // of these, whose grants in the store are not what the policy says
	granting  bool                    // somebody writes them
}

// node is what the hub remembers of a node besides what the view tells others.
type node struct {
	network   ident.Network
	ephemeral bool
	user      string // as the store has it, as the next two
	tags      []string
	routes    store.Node // what it offers, and what the policy has said of that; nothing else is set
	soft      view.Soft
}

func newTenant(h *Hub, id ident.Tenant) *tenant {
	return &tenant{id: id, hub: h, nodes: map[ident.Node]*node{}, sessions: map[ident.Node]*session{}, marked: map[ident.Node]struct{}{},
		seen: map[ident.Node]time.Time{}, parting: map[ident.Node]time.Time{}, wake: make(chan struct{}, 1),
		networks: map[ident.Network]*store.Network{}, books: map[ident.Network]*book{}, users: map[string]compile.User{}, plains: map[ident.Plain]*store.Plain{},
		routers: map[ident.Node]struct{}{}, ungranted: map[ident.Node]struct{}{}}
}

// claim makes n the node's session and returns the one that it displaces, if any; or says why not. Of two that show the same
// certificate, the same instance is a reconnect; another instance is a clone if the first answers, else the first has died.
func (t *tenant) claim(ctx context.Context, n *session) (displaced *session, err error) {
	var silent *session
	for {
		old, seated, err := t.seat(n, silent)
		if seated || err != nil {
			return old, err
		}
		if old.answers(ctx) {
			return nil, &cloned
		}
		if ctx.Err() != nil {
			return nil, &restarting
		}
		silent = old
	}
}

// seat gives n its node's place if that is free, or n's to take: from itself before a reconnect, or from one that is silent.
func (t *tenant) seat(n, silent *session) (old *session, seated bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, false, &restarting
	case t.nodes[n.node] == nil:
		return nil, false, &removed
	}
	old = t.sessions[n.node]
	if old != nil && old != silent && !bytes.Equal(old.instance, n.instance) {
		return old, false, nil
	}
	t.sessions[n.node] = n
	return old, true, nil
}

// release notes that a session is over, and tells so when nothing of it is left. If no other has taken its place the node is offline
// from now on.
func (t *tenant) release(n *session) {
	defer close(n.ended)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[n.node] != n {
		return
	}
	delete(t.sessions, n.node)
	t.forgive(n)
	known := t.nodes[n.node]
	if known == nil {
		return
	}
	now := t.hub.Now()
	t.seen[n.node] = now
	t.soft(n.node, view.Soft{LastSeen: now, Endpoints: known.soft.Endpoints, Kinds: known.soft.Kinds, HomeRelay: known.soft.HomeRelay}) // where it was is where it most likely still is
	t.part(n.node)
}

// arrive makes the node visible as online and marks it for its first map.
func (t *tenant) arrive(n *session, hello *pb.Hello) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.sessions[n.node] != n:
		return &replaced
	case t.nodes[n.node] == nil:
		return &removed
	}
	has, err := t.view.Resume(n.node, hello.Cursor, hello.RulesName)
	if err != nil {
		return err
	}
	n.has, n.applied = has, hello.RulesName
	delete(t.parting, n.node)
	t.seen[n.node] = t.hub.Now()
	t.soft(n.node, reported(hello.Report))
	t.markLocked(n.node)
	return nil
}

// report takes over what a node says of itself.
func (t *tenant) report(n *session, r *pb.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[n.node] == n {
		t.soft(n.node, reported(r))
	}
}

// soft changes a node's soft state and marks whom it concerns. The lock is held.
func (t *tenant) soft(id ident.Node, s view.Soft) {
	if n := t.nodes[id]; n != nil {
		n.soft = s
		t.markAll(t.view.SetSoft(id, s))
	}
}

// markAll marks the live sessions that a change concerns. The lock is held.
func (t *tenant) markAll(c view.Change) {
	t.audience = t.view.Audience(t.audience[:0], c)
	for _, id := range t.audience {
		t.markLocked(id)
	}
}

// mark notes that a session lacks something.
func (t *tenant) mark(id ident.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.markLocked(id)
}

func (t *tenant) markLocked(id ident.Node) {
	if t.sessions[id] == nil {
		return
	}
	t.marked[id] = struct{}{}
	t.poke()
}

// poke wakes the sender.
func (t *tenant) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// close lets no session begin any more and returns those that there are.
func (t *tenant) close() []*session {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	all := make([]*session, 0, len(t.sessions))
	for _, n := range t.sessions {
		all = append(all, n)
	}
	return all
}

// forgetDeletions lets go of deletions that are too old to be told one by one.
func (t *tenant) forgetDeletions() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view != nil {
		t.view.Expire(t.hub.Now().Add(-view.TombstoneLife))
	}
}

// flushSeen writes down when nodes were last seen: those that went offline, and with online those that are online. What could not be
// written waits for the next time.
func (t *tenant) flushSeen(ctx context.Context, online bool) {
	batch := t.takeSeen(online)
	if len(batch) == 0 {
		return
	}
	err := t.hub.Store.For(t.id).Seen(ctx, batch)
	if err == nil {
		return
	}
	t.hub.Log.Warn("last-seen times not written", logx.Tenant, t.id, logx.Err, err)
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, at := range batch {
		if _, newer := t.seen[id]; !newer && t.nodes[id] != nil {
			t.seen[id] = at
		}
	}
}

func (t *tenant) takeSeen(online bool) map[ident.Node]time.Time {
	now := t.hub.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if online {
		for id := range t.sessions {
			t.seen[id] = now
		}
	}
	batch := t.seen
	t.seen = map[ident.Node]time.Time{}
	return batch
}
