package hub

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// A tenant is the live half of one tenant: its view, its sessions, and the marks of those who lack something.
type tenant struct {
	id  ident.Tenant
	hub *Hub

	mu       sync.Mutex
	view     *view.View // nil until loaded
	name     string
	nodes    map[ident.Node]*node
	sessions map[ident.Node]*session
	marked   map[ident.Node]struct{}
	seen     map[ident.Node]time.Time // not yet written down
	parting  map[ident.Node]*time.Timer
	wake     chan struct{} // holds one
	audience []ident.Node  // scratch
}

// node is what the hub remembers of a node besides what the view tells others.
type node struct {
	network   ident.Network
	ephemeral bool
	soft      view.Soft
}

func newTenant(h *Hub, id ident.Tenant) *tenant {
	return &tenant{id: id, hub: h, nodes: map[ident.Node]*node{}, sessions: map[ident.Node]*session{}, marked: map[ident.Node]struct{}{},
		seen: map[ident.Node]time.Time{}, parting: map[ident.Node]*time.Timer{}, wake: make(chan struct{}, 1)}
}

// claim makes n the node's session, or refuses it with a reason. Of two that show the same certificate, the same instance is a
// reconnect; another instance is a clone if the first answers, else the first has died.
func (t *tenant) claim(ctx context.Context, n *session) bool {
	for {
		t.mu.Lock()
		if t.nodes[n.node] == nil {
			t.mu.Unlock()
			away(n.stream, pb.GoawayReason_GOAWAY_REASON_REMOVED, "this node has been deleted from its network", time.Hour)
			return false
		}
		old := t.sessions[n.node]
		if old == nil {
			t.sessions[n.node] = n
			t.mu.Unlock()
			return true
		}
		t.mu.Unlock()
		same := bytes.Equal(old.instance, n.instance)
		if !same && old.answers(ctx) {
			t.hub.log(t.id, n.node).Warn("state of a node was copied to another machine", logx.Addr, n.stream.Info().Remote)
			away(n.stream, pb.GoawayReason_GOAWAY_REASON_CLONED, "another machine that is online uses the same identity", time.Hour)
			return false
		}
		t.displace(old, n)
		if ctx.Err() != nil {
			return false
		}
	}
}

// displace ends old in favour of n, unless another has done so already.
func (t *tenant) displace(old, n *session) {
	t.mu.Lock()
	if t.sessions[n.node] == old {
		delete(t.sessions, n.node)
	}
	t.mu.Unlock()
	away(old.stream, pb.GoawayReason_GOAWAY_REASON_REPLACED, "a newer session of this node has taken over", time.Minute)
}

// release notes that a session is over. If no other has taken its place the node is offline from now on.
func (t *tenant) release(n *session) {
	close(n.ended)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[n.node] != n {
		return
	}
	delete(t.sessions, n.node)
	now := t.hub.Now()
	t.seen[n.node] = now
	if known := t.nodes[n.node]; known != nil { // where it was is where it most likely still is
		t.soft(n.node, view.Soft{LastSeen: now, Endpoints: known.soft.Endpoints})
	}
	t.part(n.node)
}

// arrive makes the node visible as online and marks it for its first map.
func (t *tenant) arrive(n *session, hello *pb.Hello) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[n.node] != n {
		return errReplaced
	}
	if timer := t.parting[n.node]; timer != nil {
		timer.Stop()
		delete(t.parting, n.node)
	}
	has, err := t.view.Resume(n.node, hello.Cursor)
	if err != nil {
		return err
	}
	n.has = has
	t.seen[n.node] = t.hub.Now()
	t.soft(n.node, view.Soft{Online: true, Endpoints: endpoints(hello.Report)})
	t.markLocked(n.node)
	return nil
}

// report takes over what a node says of itself.
func (t *tenant) report(n *session, r *pb.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[n.node] == n {
		t.soft(n.node, view.Soft{Online: true, Endpoints: endpoints(r)})
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
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// part starts the end of an ephemeral node that has no session. The lock is held.
func (t *tenant) part(id ident.Node) {
	if n := t.nodes[id]; n == nil || !n.ephemeral || t.parting[id] != nil {
		return
	}
	t.parting[id] = time.AfterFunc(EphemeralGrace, func() { t.hub.expire(t, id) })
}

// sendAllAway tells every session that the controller goes and when to come back: not all at once.
func (t *tenant) sendAllAway() {
	t.mu.Lock()
	all := make([]*session, 0, len(t.sessions))
	for _, n := range t.sessions {
		all = append(all, n)
	}
	for _, timer := range t.parting {
		timer.Stop()
	}
	t.mu.Unlock()
	spread := min(maxRetry, time.Duration(len(all))*time.Millisecond/2)
	var gone sync.WaitGroup
	for _, n := range all {
		gone.Go(func() {
			away(n.stream, pb.GoawayReason_GOAWAY_REASON_RESTART, "the controller restarts", time.Duration(rand.Int64N(int64(spread)+1)))
			<-n.ended
		})
	}
	gone.Wait()
}

// forgetDeletions lets go of deletions that are too old to be told one by one.
func (t *tenant) forgetDeletions() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view != nil {
		t.view.Expire(t.hub.Now().Add(-view.TombstoneLife))
	}
}

// flushSeen writes down when nodes were last seen: those that went offline, and with online those that are online.
func (t *tenant) flushSeen(ctx context.Context, online bool) {
	now := t.hub.Now()
	t.mu.Lock()
	for id := range t.sessions {
		if online {
			t.seen[id] = now
		}
	}
	batch := t.seen
	t.seen = map[ident.Node]time.Time{}
	t.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	if err := t.hub.Store.For(t.id).Seen(ctx, batch); err != nil {
		t.hub.Log.Warn("last-seen times not written", logx.Tenant, t.id, logx.Err, err)
	}
}

func (t *tenant) live(id ident.Node) Live {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.nodes[id]
	if known == nil {
		return Live{}
	}
	l := Live{Online: known.soft.Online, LastSeen: known.soft.LastSeen}
	for _, e := range known.soft.Endpoints {
		l.Endpoints = append(l.Endpoints, e.String())
	}
	if n := t.sessions[id]; n != nil {
		i := n.stream.Info()
		l.Since, l.Transport, l.Remote = n.since, i.Transport, i.Remote.String()
	}
	return l
}

// expire deletes an ephemeral node whose grace is over, if it has not come back.
func (h *Hub) expire(t *tenant, id ident.Node) {
	t.mu.Lock()
	delete(t.parting, id)
	back := t.sessions[id] != nil
	t.mu.Unlock()
	if back {
		return
	}
	if err := h.Store.For(t.id).DeleteNode(h.ctx, "controller", id, 0); err != nil {
		h.log(t.id, id).Warn("ephemeral node not deleted", logx.Err, err)
		t.mu.Lock()
		t.part(id)
		t.mu.Unlock()
	}
}
