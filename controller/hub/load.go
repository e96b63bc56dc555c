package hub

import (
	"context"
	"fmt"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/view"
)

// Domain is where the names of all networks live; .internal is reserved for private use.
const Domain = "cvlan.internal"

// load fills the tenant from the store, once. What is committed meanwhile waits for the lock and is older than what was loaded, or
// newer: the versions tell.
func (t *tenant) load(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view != nil {
		return nil
	}
	l, err := t.hub.Store.For(t.id).Load(ctx)
	if err != nil {
		return fmt.Errorf("hub: load tenant %s: %w", t.id, err)
	}
	t.name = l.Tenant.Name
	v := view.New(view.Config{Epoch: t.hub.meta.Epoch, Boot: t.hub.Boot, Hard: l.Tenant.Hard, Floor: l.Floor})
	for _, c := range inOrder(l) {
		if _, err := t.put(v, c); err != nil {
			return fmt.Errorf("hub: load tenant %s: %w", t.id, err)
		}
	}
	t.view = v
	return nil
}

// inOrder merges a load into the changes that would lead to it: networks first, because nodes need theirs.
func inOrder(l store.Load) []store.Change {
	var all []store.Change
	for i := range l.Networks {
		all = append(all, store.Change{Network: &l.Networks[i]})
	}
	nodes, tombs := l.Nodes, l.Tombstones
	for len(nodes)+len(tombs) > 0 {
		if len(tombs) == 0 || len(nodes) > 0 && nodes[0].Version < tombs[0].Version {
			all = append(all, store.Change{Node: &nodes[0]})
			nodes = nodes[1:]
			continue
		}
		d := tombs[0]
		all = append(all, store.Change{Removed: &store.Node{ID: d.Node, Network: d.Network, Version: d.Version}, At: d.At})
		tombs = tombs[1:]
	}
	return all
}

// committed takes over what the store has committed, and marks whom it concerns. What the load has brought already is no change.
func (t *tenant) committed(changes []store.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view == nil {
		return
	}
	for _, c := range changes {
		if c.Version <= t.view.Cursor().Hard {
			continue
		}
		change, err := t.put(t.view, c)
		if err != nil {
			t.hub.Log.Error("a committed change does not fit the view", logx.Tenant, t.id, logx.Err, err)
			continue
		}
		t.markAll(change)
	}
}

// put applies one change. The lock is held.
func (t *tenant) put(v *view.View, c store.Change) (view.Change, error) {
	switch {
	case c.Network != nil:
		return v.PutNetwork(t.describe(c.Network), c.Network.Version)
	case c.Node != nil:
		n := c.Node
		t.remember(n)
		return v.PutNode(view.Node{ID: n.ID, Network: n.Network, Record: n.Record, Signature: n.Signature, Signed: n.Signed, Pending: n.Pending}, n.Version)
	case c.Removed != nil:
		id := c.Removed.ID
		delete(t.nodes, id)
		delete(t.seen, id)
		delete(t.parting, id)
		return v.RemoveNode(view.Tombstone{Node: id, Network: c.Removed.Network, Version: c.Removed.Version, At: c.At})
	default:
		return v.RemoveNetwork(c.Gone, c.Version)
	}
}

func (t *tenant) remember(n *store.Node) {
	known := t.nodes[n.ID]
	if known == nil {
		known = &node{soft: view.Soft{LastSeen: n.LastSeen}}
		t.nodes[n.ID] = known
	}
	known.ephemeral = n.Ephemeral
	t.part(n.ID)
}

func (t *tenant) describe(n *store.Network) view.Network {
	return view.Network{ID: n.ID, Name: n.Name, Tenant: t.name, Range4: n.Range4, Range6: n.Range6,
		Domain: n.Name + "." + t.name + "." + Domain, Open: n.Open()}
}
