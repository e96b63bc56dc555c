package storetest

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

func aRefusalLeavesNoTrace(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	node := b.node(h, n, "web")
	other := b.node(h, n, "db")
	b.plain(h, phone(n, "phone", node))
	before, events := must[store.Load](t)(h.Load(ctx())), len(b.trail(acme.ID))
	heard := 0
	b.s.Listen(func(ident.Tenant, []store.Change) { heard++ })
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1})
	twin := machine(k, s, "twin")
	twin.WG = node.WG
	for name, try := range map[string]func() error{
		"create": func() error {
			_, err := h.CreateNetwork(ctx(), admin, store.Network{Name: "office"}, false)
			return err
		},
		"delete": func() error { return h.DeleteNetwork(ctx(), admin, n.ID, 0) },
		"admit":  func() error { _, err := h.Admit(ctx(), twin); return err },
		"rename": func() error { _, err := h.RenameNode(ctx(), admin, other.ID, "web", 0); return err },
		"plain":  func() error { _, err := h.CreatePlain(ctx(), admin, phone(n, "phone", node)); return err },
		"unplug": func() error { return h.DeletePlain(ctx(), admin, before.Plains[0].ID, 999) },
		"remove": func() error { return h.DeleteNode(ctx(), admin, node.ID, 999) },
		"sign": func() error {
			_, err := h.SignNode(ctx(), node.ID, []byte("x"), make([]byte, key.SignatureSize))
			return err
		},
	} {
		if try() == nil {
			t.Errorf("%s was not refused", name)
		}
	}
	if after := must[store.Load](t)(h.Load(ctx())); !reflect.DeepEqual(after, before) || heard != 0 || len(b.trail(acme.ID)) != events+1 {
		t.Errorf("refusals left traces: %+v, want %+v; heard %d", after, before, heard)
	}
	if keys := must[[]store.JoinKey](t)(h.JoinKeys(ctx(), 0)); keys[len(keys)-1].Used != 0 {
		t.Error("a refused admission used the key up")
	}
}

// named is a target that has a name and no number.
type named string

func (n named) String() string { return string(n) }

// everyChangeIsInTheTrail does everything once and finds one event for each, in a chain, without a secret.
func everyChangeIsInTheTrail(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "office"}, false))
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1, Approve: true, Tags: []string{"tag:server"}})
	node := must[store.Node](t)(h.Admit(ctx(), machine(k, s, "web")))
	must[store.Node](t)(h.ApproveNode(ctx(), admin, node.ID, 0))
	must[store.Node](t)(h.SuspendNode(ctx(), admin, node.ID, 0))
	must[store.Node](t)(h.SignNode(ctx(), node.ID, node.Record, make([]byte, key.SignatureSize)))
	must[store.Node](t)(h.RenameNode(ctx(), admin, node.ID, "db", 0))
	b.ok(h.Renewed(ctx(), node.ID, store.Certificate{Serial: "1", NotAfter: b.now.Add(time.Hour)}))
	b.group(h, "group:dev")
	u := b.user(h, alice)
	must[store.Group](t)(h.ChangeMembers(ctx(), admin, "group:dev", []string{alice}, nil))
	must[store.Group](t)(h.ChangeMembers(ctx(), admin, "group:dev", nil, []string{alice}))
	u.Role = store.Admin
	must[store.User](t)(h.PutUser(ctx(), admin, u, 0))
	must[store.Leaver](t)(h.DeleteUser(ctx(), admin, alice, false, 0))
	b.ok(h.DeleteGroup(ctx(), admin, "group:dev"))
	must[store.Node](t)(h.SetNodeTags(ctx(), admin, node.ID, nil, 0))
	must[store.Node](t)(h.ReportNode(ctx(), node.ID, store.Report{OS: "plan9"}))
	must[store.Policy](t)(h.PutPolicy(ctx(), n.ID, []byte("{}"), admin, "empty", ""))
	p := b.plain(h, phone(n, "phone", node))
	b.ok(h.DeletePlain(ctx(), admin, p.ID, 0))
	b.ok(h.DeleteNode(ctx(), admin, node.ID, 0))
	b.ok(h.RevokeJoinKey(ctx(), admin, k.ID))
	hash := key.NewSecret().Hash()
	a := must[store.APIKey](t)(h.CreateAPIKey(ctx(), "evil\x1b[2J", store.APIKey{Name: "ci", Hash: hash}))
	b.ok(h.RevokeAPIKey(ctx(), admin, a.ID))
	b.ok(h.DeleteNetwork(ctx(), admin, n.ID, 0))

	person, dev := named(alice), named("group:dev")
	byNode := "node " + node.ID.String()
	want := []struct {
		actor, action string
		target        fmt.Stringer
	}{
		{admin, "tenant.create", acme.ID}, {admin, "network.create", n.ID}, {admin, "key.create", k.ID}, {byNode, "node.join", node.ID},
		{admin, "node.approve", node.ID}, {admin, "node.suspend", node.ID}, {byNode, "node.sign", node.ID}, {admin, "node.rename", node.ID}, {"controller", "node.renew", node.ID},
		{admin, "group.create", dev}, {admin, "user.create", person}, {admin, "group.add", dev}, {admin, "group.remove", dev}, {admin, "user.change", person},
		{admin, "user.delete", person}, {admin, "group.delete", dev}, {admin, "node.tag", node.ID}, {byNode, "node.report", node.ID}, {admin, "policy.put", n.ID},
		{admin, "peer.create", p.ID}, {admin, "peer.delete", p.ID},
		{admin, "node.delete", node.ID}, {admin, "key.revoke", k.ID}, {"evil�[2J", "apikey.create", a.ID}, {admin, "apikey.revoke", a.ID}, {admin, "network.delete", n.ID},
	}
	got := b.trail(acme.ID)
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		e := got[i]
		if e.Actor != w.actor || e.Action != w.action || e.Target != w.target.String() || !e.At.Equal(b.now) {
			t.Errorf("event %d: %+v, want %v", i, e, w)
		}
		for _, secret := range [][]byte{s.Bytes(), k.Hash[:], hash[:], p.Preshared.Bytes()} {
			if strings.Contains(e.Detail, hex.EncodeToString(secret)) || strings.Contains(e.Detail, base64.StdEncoding.EncodeToString(secret)) {
				t.Errorf("event %d tells a secret: %s", i, e.Detail)
			}
		}
	}
	if p := b.trail(store.Provider); len(p) != 1 || p[0].Target != acme.ID.String() {
		t.Errorf("the provider's trail: %+v", p)
	}
	if page := must[[]store.Event](t)(h.Events(ctx(), 3, 2)); len(page) != 2 || page[0].Seq != 4 {
		t.Errorf("a page: %+v", page)
	}
}

// mirror rebuilds tenants from what a sink hears.
type mirror struct {
	t       *testing.T
	hard    map[ident.Tenant]uint64
	network map[ident.Network]store.Network
	node    map[ident.Node]store.Node
	plain   map[ident.Plain]store.Plain
	user    map[string]store.User
	policy  map[ident.Network]store.Policy
}

func (m *mirror) hear(id ident.Tenant, changes []store.Change) {
	for _, c := range changes {
		if c.Version <= m.hard[id] {
			m.t.Errorf("version %d of %s after %d", c.Version, id, m.hard[id])
		}
		m.hard[id] = c.Version
		own := c.Version
		switch {
		case c.Network != nil:
			m.network[c.Network.ID], own = *c.Network, c.Network.Version
		case c.Node != nil:
			m.node[c.Node.ID], own = *c.Node, c.Node.Version
		case c.Removed != nil:
			delete(m.node, c.Removed.ID)
			own = c.Removed.Version
		case c.Plain != nil:
			m.plain[c.Plain.ID], own = *c.Plain, c.Plain.Version
		case c.RemovedPlain != nil:
			delete(m.plain, c.RemovedPlain.ID)
			own = c.RemovedPlain.Version
		case c.User != nil:
			m.user[c.User.Login], own = *c.User, c.User.Version
		case c.UserGone != "":
			delete(m.user, c.UserGone)
		case c.Policy != nil:
			m.policy[c.Policy.Network], own = *c.Policy, c.Policy.Version
		default:
			delete(m.network, c.Gone)
			delete(m.policy, c.Gone)
		}
		if own != c.Version {
			m.t.Errorf("change %d carries something of version %d", c.Version, own)
		}
	}
}

// theSinkHearsWhatLoadShows lets many callers change two tenants at once; a mirror that only hears the sink ends equal to a load.
func theSinkHearsWhatLoadShows(t *testing.T, b *bench) {
	m := &mirror{t, map[ident.Tenant]uint64{}, map[ident.Network]store.Network{}, map[ident.Node]store.Node{}, map[ident.Plain]store.Plain{}, map[string]store.User{}, map[ident.Network]store.Policy{}}
	b.s.Listen(m.hear)
	var places []place
	for _, name := range []string{"a", "z"} {
		_, h := b.tenant(name)
		n := b.network(h, "office")
		b.group(h, "group:dev")
		k, s := b.joinKey(h, store.JoinKey{Network: n.ID})
		places = append(places, place{h, n, k, s})
	}
	const callers, turns = 16, 6
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range turns {
				if err := places[i%2].busy(i, j); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	nodes, networks, plains, users, policies := 0, 0, 0, 0, 0
	for _, p := range places {
		l := must[store.Load](t)(p.h.Load(ctx()))
		nodes += same(m, "node", l.Nodes, func(n store.Node) store.Node { return m.node[n.ID] })
		networks += same(m, "network", l.Networks, func(n store.Network) store.Network { return m.network[n.ID] })
		plains += same(m, "plain device", l.Plains, func(p store.Plain) store.Plain { return m.plain[p.ID] })
		users += same(m, "user", l.Users, func(u store.User) store.User { return m.user[u.Login] })
		policies += same(m, "policy", l.Policies, func(p store.Policy) store.Policy { return m.policy[p.Network] })
		if !slices.IsSortedFunc(l.Nodes, func(a, b store.Node) int { return cmp.Compare(a.Version, b.Version) }) {
			t.Error("nodes are not in the order of versions")
		}
		if len(l.Tombstones) != callers || l.Tenant.Hard != m.hard[l.Tenant.ID] {
			t.Errorf("%d tombstones, at %d; heard %d", len(l.Tombstones), l.Tenant.Hard, m.hard[l.Tenant.ID])
		}
		b.trail(l.Tenant.ID)
	}
	got := [...]int{nodes, networks, plains, users, policies}
	if have := [...]int{len(m.node), len(m.network), len(m.plain), len(m.user), len(m.policy)}; got != have || got != [...]int{callers * 4, 2, callers * turns, callers * 4, 2} {
		t.Errorf("nodes, networks, plain devices, users, policies: %d; the mirror has %d", got, have)
	}
}

// place is where a caller is busy.
type place struct {
	h store.Handle
	n store.Network
	k store.JoinKey
	s key.Secret
}

// busy does a bit of everything, in a caller's turn.
func (p place) busy(caller, turn int) error {
	node, err := p.h.Admit(ctx(), machine(p.k, p.s, "web"))
	then := func(now bool, f func() error) {
		if err == nil && now {
			err = f()
		}
	}
	login := fmt.Sprintf("u%d-%d@example.com", caller, turn)
	then(turn%2 == 0, func() error {
		_, err := p.h.SignNode(ctx(), node.ID, node.Record, make([]byte, key.SignatureSize))
		return err
	})
	then(true, func() error {
		_, err := p.h.CreatePlain(ctx(), admin, phone(p.n, fmt.Sprintf("phone-%d-%d", caller, turn), node))
		return err
	})
	then(true, func() error { _, err := p.h.CreateUser(ctx(), admin, store.User{Login: login}); return err })
	then(turn%2 == 0, func() error {
		_, err := p.h.ChangeMembers(ctx(), admin, "group:dev", []string{login}, nil)
		return err
	})
	then(turn%3 == 0, func() error { _, err := p.h.DeleteUser(ctx(), admin, login, false, 0); return err })
	then(true, func() error {
		_, err := p.h.PutPolicy(ctx(), p.n.ID, fmt.Appendf(nil, "{}//%s", login), admin, "", "")
		return err
	})
	then(turn%3 == 0, func() error { return p.h.DeleteNode(ctx(), admin, node.ID, 0) })
	then(true, func() error {
		if _, twice := p.h.CreateNetwork(ctx(), admin, store.Network{Name: "office"}, false); !errors.Is(twice, store.ErrExists) {
			return fmt.Errorf("a second network of a name: %v", twice)
		}
		return nil
	})
	return err
}

// same compares what a load has with what the mirror has, and returns how much it is.
func same[T any](m *mirror, what string, loaded []T, of func(T) T) int {
	for _, x := range loaded {
		if !reflect.DeepEqual(x, of(x)) {
			m.t.Errorf("load has the %s %+v, the mirror %+v", what, x, of(x))
		}
	}
	return len(loaded)
}

func aCancelledCallerChangesNothing(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	gone, cancel := context.WithCancel(ctx())
	cancel()
	_, err := h.CreateNetwork(gone, admin, store.Network{Name: "office"}, false)
	b.refused(err, context.Canceled)
	if all := must[[]store.Network](t)(h.Networks(ctx())); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

func aClosedStoreSaysSo(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	b.ok(b.s.Close())
	b.ok(b.s.Close())
	if _, err := h.CreateNetwork(ctx(), admin, store.Network{Name: "office"}, false); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("writing: %v", err)
	}
	if _, err := h.Networks(ctx()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("reading: %v", err)
	}
}
