package hub

import (
	"context"
	"errors"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// part begins the end of an ephemeral node that has no session, unless it has begun already. The lock is held.
func (t *tenant) part(id ident.Node) {
	n := t.nodes[id]
	if n == nil || !n.ephemeral || t.sessions[id] != nil {
		return
	}
	if _, begun := t.parting[id]; !begun {
		t.parting[id] = time.Now().Add(EphemeralGrace) // not the hub's clock: a clock that is set must not end anybody
	}
}

// due returns the ephemeral nodes whose grace is over.
func (t *tenant) due() (all []ident.Node) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, end := range t.parting {
		if t.sessions[id] == nil && !now.Before(end) {
			all = append(all, id)
		}
	}
	return all
}

// expire deletes the ephemeral nodes whose time has come. Those that cannot be deleted now are tried again at the next round; the commit
// takes the others off the list.
func (t *tenant) expire(ctx context.Context) {
	if t.hub.Store.Writable() != nil {
		return
	}
	for _, id := range t.due() {
		err := t.hub.Store.For(t.id).DeleteNode(ctx, "controller", id, 0)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.hub.log(t.id, id).Warn("ephemeral node not deleted", logx.Err, err)
			return
		}
	}
}
