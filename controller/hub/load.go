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
	for id, n := range t.nodes {
		if n.ephemeral {
			t.part(id)
		}
	}
	t.hub.startLoop(t)
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

// committed takes over what the store has committed, and marks whom it concerns.
func (t *tenant) committed(changes []store.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view == nil {
		return
	}
	for _, c := range changes {
		change, err := t.put(t.view, c)
		if err != nil {
			t.hub.Log.Error("a committed change does not fit the view", logx.Tenant, t.id, logx.Err, err)
			continue
		}
		t.markAll(change)
	}
}

// put applies one change. A change that the load has brought already is none. The lock is held.
func (t *tenant) put(v *view.View, c store.Change) (view.Change, error) {
	loaded := t.view != nil
	switch {
	case c.Network != nil:
		if loaded && c.Network.Version <= v.Cursor().Hard {
			return view.Change{}, nil
		}
		return v.PutNetwork(t.describe(c.Network), c.Network.Version)
	case c.Node != nil:
		if loaded && c.Node.Version <= v.Cursor().Hard {
			return view.Change{}, nil
		}
		t.remember(c.Node)
		return v.PutNode(view.Node{ID: c.Node.ID, Network: c.Node.Network, Record: c.Node.Record, Signature: c.Node.Signature, Signed: c.Node.Signed, Pending: c.Node.Pending}, c.Node.Version)
	case c.Removed != nil:
		delete(t.nodes, c.Removed.ID)
		delete(t.seen, c.Removed.ID)
		return v.RemoveNode(view.Tombstone{Node: c.Removed.ID, Network: c.Removed.Network, Version: c.Removed.Version, At: c.At})
	default:
		return v.RemoveNetwork(c.Gone, c.Version)
	}
}

func (t *tenant) remember(n *store.Node) {
	if known := t.nodes[n.ID]; known != nil {
		known.ephemeral = n.Ephemeral
		return
	}
	t.nodes[n.ID] = &node{network: n.Network, ephemeral: n.Ephemeral, soft: view.Soft{LastSeen: n.LastSeen}}
}

func (t *tenant) describe(n *store.Network) view.Network {
	return view.Network{ID: n.ID, Name: n.Name, Tenant: t.name, Range4: n.Range4, Range6: n.Range6,
		Domain: n.Name + "." + t.name + "." + Domain, Open: n.Open()}
}
