package hub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/policy/compile"
)

// edit is how far the newest document has come.
type edit struct {
	at    time.Time // when it was committed; zero: before this controller's start
	took  []time.Duration
	lacks int // live sessions that had to be told and have not said yet that they apply it
}

// Applied is how far a network's newest document has come among the nodes that are connected.
type Applied struct {
	Number   uint64 // of the document
	At       time.Time
	Nodes    int // connected
	Current  int // of those, how many apply the rules that they should
	Affected int // of those, how many had to be told of this document
	P50, P99 time.Duration
	Max      time.Duration // from its commit until a node applied it, of those that have
}

// Ask lets f ask questions of a network's policy as it is now. f runs under the tenant's lock: it is quick, and keeps nothing. It may
// not change the Network, but that questions about nodes that are not there tell more classes apart.
func (h *Hub) Ask(ctx context.Context, tenant ident.Tenant, network ident.Network, f func(*compile.Network)) error {
	t, err := h.tenant(ctx, tenant)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.books[network]
	if b == nil {
		return fmt.Errorf("network %s: %w", network, store.ErrNotFound)
	}
	f(b.network)
	return nil
}

// Applied reports how far a network's newest document has come.
func (h *Hub) Applied(id ident.Tenant, network ident.Network) (a Applied) {
	t := h.known(id)
	if t == nil {
		return a
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.books[network]
	if b == nil {
		return a
	}
	a.Number, a.At, a.Affected = b.number, b.edit.at, len(b.edit.took)+b.edit.lacks
	for _, n := range t.sessions {
		if t.nodes[n.node] != nil && t.nodes[n.node].network == network {
			if a.Nodes++; n.applied == t.ruled(n) {
				a.Current++
			}
		}
	}
	if took := slices.Sorted(slices.Values(b.edit.took)); len(took) > 0 {
		a.P50, a.P99, a.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	return a
}

// ruled is the name of the rules that a session's node should apply.
func (t *tenant) ruled(n *session) uint64 {
	known := t.nodes[n.node]
	if known == nil || t.books[known.network] == nil {
		return 0
	}
	b := t.books[known.network]
	class, placed := b.of[n.node]
	if !placed {
		return 0
	}
	name, _ := sight{b.network.Sight(), b}.Rules(class)
	return name
}

// applies notes which rules a node applies.
func (t *tenant) applies(n *session, name uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n.applied = name
	if known := t.nodes[n.node]; n.owes && known != nil && t.books[known.network] != nil && name == t.ruled(n) {
		n.owes = false
		e := &t.books[known.network].edit
		e.lacks--
		e.took = append(e.took, t.hub.Now().Sub(e.at))
	}
}

// newPolicy takes over another document, and tells whom it concerns. The lock is held.
func (t *tenant) newPolicy(v *view.View, p *store.Policy) (changes []view.Change, err error) {
	b := t.books[p.Network]
	if b == nil {
		return nil, nil // its network is gone already
	}
	doc, err := parse(p.Text)
	if err != nil {
		return nil, fmt.Errorf("network %s: document %d: %w", p.Network, p.Number, err)
	}
	b.replace(doc, p.Number)
	t.judgeAllRoutes()
	c, err := v.Turn(p.Network, b.sight(), b.place, p.Version)
	if err != nil {
		return nil, err
	}
	changes = append(changes, c)
	for _, d := range t.plains {
		if d.Network == p.Network {
			c, err := v.PutPlain(t.plain(b, d), p.Version)
			if err != nil {
				return nil, err
			}
			changes = append(changes, c)
		}
	}
	if n := t.networks[p.Network]; n != nil {
		c, err := v.PutNetwork(t.describe(n), p.Version)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// owe notes which sessions have to be told of a document that was committed just now. The lock is held.
func (t *tenant) owe(p *store.Policy) {
	b := t.books[p.Network]
	if b == nil {
		return
	}
	b.edit = edit{at: t.hub.Now()}
	for _, n := range t.sessions {
		if known := t.nodes[n.node]; known != nil && known.network == p.Network {
			if n.owes = n.applied != t.ruled(n); n.owes {
				b.edit.lacks++
			}
		}
	}
}

// forgive forgets what a session owed that is over. The lock is held.
func (t *tenant) forgive(n *session) {
	if known := t.nodes[n.node]; n.owes && known != nil && t.books[known.network] != nil {
		n.owes = false
		t.books[known.network].edit.lacks--
	}
}

// newUser takes over what the directory says of a user. The lock is held.
func (t *tenant) newUser(v *view.View, u compile.User, gone bool, version uint64) (changes []view.Change, err error) {
	if t.users[u.Login] = u; gone {
		delete(t.users, u.Login)
	}
	defer t.judgeAllRoutes()
	for id, b := range t.books {
		if gone {
			b.network.RemoveUser(u.Login, nil)
		} else {
			b.network.PutUser(u, nil)
		}
		nodes := b.network.NodesOf(u.Login)
		for _, x := range nodes {
			b.put(x)
		}
		if err := v.SetSight(id, b.sight()); err != nil {
			return nil, err
		}
		for _, x := range nodes {
			c, err := v.Move(x.ID, b.place(x.ID), version)
			if err != nil {
				return nil, err
			}
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// user is a store's user as policy knows it.
func user(u *store.User) compile.User {
	return compile.User{Login: u.Login, Role: compile.Role(u.Role), Groups: u.Groups}
}

// putNode places a node and takes it over. The lock is held.
func (t *tenant) putNode(v *view.View, n *store.Node, version uint64) (view.Change, error) {
	place := nowhere
	if b := t.books[n.Network]; b != nil {
		if n.Pending {
			b.remove(n.ID)
		} else {
			var grown bool
			if place, grown = b.put(known(n)); grown {
				if err := v.SetSight(n.Network, b.sight()); err != nil {
					return view.Change{}, err
				}
			}
		}
	}
	return v.PutNode(view.Node{ID: n.ID, Network: n.Network, Record: n.Record, Signature: n.Signature, Signed: n.Signed, Pending: n.Pending,
		Class: place.Class, ClassName: place.Name, User: owner(n), Routes: n.Routes()}, version)
}

// plain is a plain device as the view knows it, placed. The lock is held.
func (t *tenant) plain(b *book, p *store.Plain) view.Plain {
	return view.Plain{ID: p.ID, Network: p.Network, Entry: entry(p, b.place(ident.Node(p.ID)).Name), Nodes: p.Nodes}
}

// putPlain places a plain device and takes it over. The lock is held.
func (t *tenant) putPlain(v *view.View, p *store.Plain) (view.Change, error) {
	t.plains[p.ID] = p
	b := t.books[p.Network]
	if _, grown := b.put(knownPlain(p)); grown {
		if err := v.SetSight(p.Network, b.sight()); err != nil {
			return view.Change{}, err
		}
	}
	return v.PutPlain(t.plain(b, p), p.Version)
}
