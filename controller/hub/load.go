package hub

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	t.setRelays(v)
	t.view = v
	return nil
}

// inOrder merges a load into the changes that would lead to it, in the order of versions but for networks, which go first: the rest needs theirs.
func inOrder(l store.Load) []store.Change {
	var all []store.Change
	for i := range l.Networks {
		all = append(all, store.Change{Network: &l.Networks[i]})
	}
	networks := len(all)
	for i := range l.Nodes {
		all = append(all, store.Change{Node: &l.Nodes[i], Version: l.Nodes[i].Version})
	}
	for i := range l.Plains {
		all = append(all, store.Change{Plain: &l.Plains[i], Version: l.Plains[i].Version})
	}
	for _, d := range l.Tombstones {
		c := store.Change{Version: d.Version, At: d.At}
		if d.Plain.IsZero() {
			c.Removed = &store.Node{ID: d.Node, Network: d.Network, Version: d.Version}
		} else {
			c.RemovedPlain = &store.Plain{ID: d.Plain, Nodes: d.Nodes, Network: d.Network, Version: d.Version}
		}
		all = append(all, c)
	}
	slices.SortFunc(all[networks:], func(a, b store.Change) int { return cmp.Compare(a.Version, b.Version) })
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
	case c.Plain != nil:
		p := c.Plain
		return v.PutPlain(view.Plain{ID: p.ID, Network: p.Network, Entry: p.Entry(), Nodes: p.Nodes}, p.Version)
	case c.RemovedPlain != nil:
		p := c.RemovedPlain
		return v.RemovePlain(view.Tombstone{Plain: p.ID, Nodes: p.Nodes, Network: p.Network, Version: p.Version, At: c.At})
	case !c.Gone.IsZero():
		return v.RemoveNetwork(c.Gone, c.Version)
	default: // people and policies: nodes are not told of them yet
		return view.Change{}, nil
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
