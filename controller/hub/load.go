package hub

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/policy/compile"
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
	t.name, t.loaded = l.Tenant.Name, l.Tenant.Hard
	v := view.New(view.Config{Epoch: t.hub.meta.Epoch, Boot: t.hub.Boot, Hard: l.Tenant.Hard, Floor: l.Floor})
	for _, c := range inOrder(l) {
		if _, err := t.put(v, c); err != nil {
			return fmt.Errorf("hub: load tenant %s: %w", t.id, err)
		}
	}
	t.setRelays(v)
	if _, err := t.setAuthorities(ctx, v); err != nil {
		return fmt.Errorf("hub: load tenant %s: %w", t.id, err)
	}
	t.view = v
	return nil
}

// inOrder merges a load into the changes that would lead to it, in the order of versions but for networks, their policies and users, which
// go first: the rest needs them.
func inOrder(l store.Load) []store.Change {
	var all []store.Change
	for i := range l.Networks {
		all = append(all, store.Change{Network: &l.Networks[i], Version: l.Networks[i].Version})
	}
	for i := range l.Policies {
		all = append(all, store.Change{Policy: &l.Policies[i], Version: l.Policies[i].Version})
	}
	moved := map[string]uint64{} // a node's class is as new as what is known of its owner
	for i := range l.Users {
		all = append(all, store.Change{User: &l.Users[i], Version: l.Users[i].Version})
		moved[l.Users[i].Login] = l.Users[i].Version
	}
	first := len(all)
	for i := range l.Nodes {
		all = append(all, store.Change{Node: &l.Nodes[i], Version: max(l.Nodes[i].Version, moved[owner(&l.Nodes[i])])})
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
	slices.SortStableFunc(all[first:], func(a, b store.Change) int { return cmp.Compare(a.Version, b.Version) })
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
		if c.Version <= t.loaded {
			continue
		}
		all, err := t.put(t.view, c)
		if err != nil {
			t.hub.Log.Error("a committed change does not fit the view", logx.Tenant, t.id, logx.Err, err)
		}
		if c.Policy != nil {
			t.owe(c.Policy)
		}
		for _, change := range all {
			t.markAll(change)
		}
	}
}

// put applies one change. The lock is held.
func (t *tenant) put(v *view.View, c store.Change) ([]view.Change, error) {
	var change view.Change
	var err error
	switch {
	case c.Network != nil:
		return t.putNetwork(v, c.Network)
	case c.Policy != nil:
		return t.newPolicy(v, c.Policy)
	case c.User != nil:
		return t.newUser(v, user(c.User), false, c.Version)
	case c.UserGone != "":
		return t.newUser(v, compile.User{Login: c.UserGone}, true, c.Version)
	case c.Node != nil:
		t.remember(c.Node)
		change, err = t.putNode(v, c.Node, c.Version)
		t.routing(c.Node)
	case c.Removed != nil:
		id := c.Removed.ID
		delete(t.nodes, id)
		delete(t.seen, id)
		delete(t.parting, id)
		delete(t.routers, id)
		delete(t.ungranted, id)
		if b := t.books[c.Removed.Network]; b != nil {
			b.remove(id)
		}
		change, err = v.RemoveNode(view.Tombstone{Node: id, Network: c.Removed.Network, Version: c.Removed.Version, At: c.At})
	case c.Plain != nil:
		change, err = t.putPlain(v, c.Plain)
	case c.RemovedPlain != nil:
		p := c.RemovedPlain
		delete(t.plains, p.ID)
		if b := t.books[p.Network]; b != nil {
			b.remove(ident.Node(p.ID))
		}
		change, err = v.RemovePlain(view.Tombstone{Plain: p.ID, Nodes: p.Nodes, Network: p.Network, Version: p.Version, At: c.At})
	default:
		t.dropNetwork(c.Gone)
		change, err = v.RemoveNetwork(c.Gone, c.Version)
	}
	return []view.Change{change}, err
}

// putNetwork takes over a network. In a new one nothing passes until its policy comes, which follows at once.
func (t *tenant) putNetwork(v *view.View, n *store.Network) ([]view.Change, error) {
	t.networks[n.ID] = n
	fresh := t.books[n.ID] == nil
	if fresh {
		b := newBook(n)
		for _, u := range t.users {
			b.network.PutUser(u, nil)
		}
		t.books[n.ID] = b
	}
	change, err := v.PutNetwork(t.describe(n), n.Version)
	if err == nil && fresh {
		err = v.SetSight(n.ID, t.books[n.ID].sight())
	}
	return []view.Change{change}, err
}

// dropNetwork forgets a network, and what was in it: the view forgets its nodes likewise.
func (t *tenant) dropNetwork(id ident.Network) {
	delete(t.networks, id)
	delete(t.books, id)
	maps.DeleteFunc(t.plains, func(_ ident.Plain, p *store.Plain) bool { return p.Network == id })
}

func (t *tenant) remember(n *store.Node) {
	known := t.nodes[n.ID]
	if known == nil {
		known = &node{soft: view.Soft{LastSeen: n.LastSeen}}
		t.nodes[n.ID] = known
	}
	known.ephemeral, known.network = n.Ephemeral, n.Network
	known.user, known.tags = n.User, n.Tags
	t.part(n.ID)
}

func (t *tenant) describe(n *store.Network) view.Network {
	return view.Network{ID: n.ID, Name: n.Name, Tenant: t.name, Range4: n.Range4, Range6: n.Range6,
		Domain: n.Name + "." + t.name + "." + Domain, Open: t.books[n.ID].allows, Protocol: n.Protocol}
}
