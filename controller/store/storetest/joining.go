package storetest

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

func keysAdmitAsLongAsTheyMay(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	two, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 2, Expires: b.now.Add(time.Hour), Tags: []string{"tag:server"}, Approve: true})
	if got := must[[]store.JoinKey](t)(h.JoinKeys(ctx(), n.ID)); !reflect.DeepEqual(got, []store.JoinKey{two}) || two.CreatedBy != admin {
		t.Errorf("listed %+v, want %+v", got, two)
	}
	if owner, err := b.s.JoinKeyTenant(ctx(), two.ID); err != nil || owner != acme.ID {
		t.Errorf("%v, %v", owner, err)
	}
	for i := range 2 {
		node := must[store.Node](t)(h.Admit(ctx(), machine(two, s, "web")))
		if !node.Pending || node.Ephemeral || !reflect.DeepEqual(node.Tags, []string{"tag:server"}) || node.JoinedBy != two.ID || node.OS != "linux" {
			t.Errorf("node %d: %+v", i, node)
		}
	}
	_, err := h.Admit(ctx(), machine(two, s, "web"))
	b.refused(err, store.ErrKeyUsedUp)
	if got := must[[]store.JoinKey](t)(h.JoinKeys(ctx(), 0)); got[0].Used != 2 {
		t.Errorf("used %d times", got[0].Used)
	}
	many, s := b.joinKey(h, store.JoinKey{Network: n.ID, Expires: b.now.Add(time.Hour)})
	for range 5 {
		must[store.Node](t)(h.Admit(ctx(), machine(many, s, "web")))
	}
	b.now = b.now.Add(time.Hour)
	_, err = h.Admit(ctx(), machine(many, s, "web"))
	b.refused(err, store.ErrKeyExpired)
	ever, s := b.joinKey(h, store.JoinKey{Network: n.ID})
	b.now = b.now.Add(10 * 365 * 24 * time.Hour)
	must[store.Node](t)(h.Admit(ctx(), machine(ever, s, "web")))
	b.ok(h.RevokeJoinKey(ctx(), admin, ever.ID))
	b.ok(h.RevokeJoinKey(ctx(), admin, ever.ID))
	_, err = h.Admit(ctx(), machine(ever, s, "web"))
	b.refused(err, store.ErrKeyRevoked)
	b.refused(h.RevokeJoinKey(ctx(), admin, 7), store.ErrNotFound)
	_, err = h.CreateJoinKey(ctx(), admin, store.JoinKey{Network: n.ID, Hash: [32]byte{1}, Uses: -1})
	b.refused(err, store.ErrInvalid)
	_, err = h.CreateJoinKey(ctx(), admin, store.JoinKey{Network: 7, Hash: [32]byte{1}})
	b.refused(err, store.ErrNotFound)
	_, err = h.CreateJoinKey(ctx(), admin, store.JoinKey{ID: ever.ID, Network: n.ID, Hash: [32]byte{1}})
	b.refused(err, store.ErrExists)
}

func aWrongSecretLearnsNothing(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1})
	m := machine(k, s, "web")
	must[store.Node](t)(h.Admit(ctx(), m))
	m.Secret = key.NewSecret()
	_, used := h.Admit(ctx(), m)
	b.refused(used, store.ErrKeyUnknown)
	m.Key = 7
	_, unknown := h.Admit(ctx(), m)
	b.refused(unknown, store.ErrKeyUnknown)
	_, err := b.s.JoinKeyTenant(ctx(), 7)
	b.refused(err, store.ErrNotFound)
}

// A machine that did not hear the answer asks again, and gets the same node whatever has become of the key meanwhile.
func aLostAnswerIsAskedForAgain(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1, Expires: b.now.Add(time.Hour)})
	m := machine(k, s, "web")
	first := must[store.Node](t)(h.Admit(ctx(), m))
	b.now = b.now.Add(2 * time.Hour)
	b.ok(h.RevokeJoinKey(ctx(), admin, k.ID))
	before := must[store.Load](t)(h.Load(ctx()))
	m.Wish = "other"
	if again := must[store.Node](t)(h.Admit(ctx(), m)); !reflect.DeepEqual(again, first) {
		t.Errorf("%+v, want %+v", again, first)
	}
	if after := must[store.Load](t)(h.Load(ctx())); !reflect.DeepEqual(after, before) {
		t.Error("asking again changed something")
	}
	b.ok(h.DeleteNode(ctx(), admin, first.ID, 0))
	_, err := h.Admit(ctx(), m)
	b.refused(err, store.ErrKeyRevoked)
}

// A machine that says what it is already is not admitted twice to a network, and the key is as good as before.
func aMachineIsOneNodeOfANetwork(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	office, plant := b.network(h, "office"), b.network(h, "plant")
	first, there := b.node(h, office, "web"), b.node(h, plant, "web")
	k, s := b.joinKey(h, store.JoinKey{Network: office.ID, Uses: 1})
	m := machine(k, s, "web")
	m.Nodes = []ident.Node{there.ID, first.ID}
	_, err := h.Admit(ctx(), m)
	if again, ok := errors.AsType[*store.MemberError](err); !ok || again.Node != first.ID {
		t.Fatalf("%v, want that it is %s", err, first.ID)
	}
	_, stranger := b.tenant("other")
	elsewhere := b.node(stranger, b.network(stranger, "office"), "web")
	b.ok(h.DeleteNode(ctx(), admin, first.ID, 0))
	m.Nodes = []ident.Node{there.ID, first.ID, elsewhere.ID, 7}
	must[store.Node](t)(h.Admit(ctx(), m))
}

func deadKeysMakeRoom(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	expired, _ := b.joinKey(h, store.JoinKey{Network: n.ID, Expires: b.now.Add(time.Minute)})
	revoked, _ := b.joinKey(h, store.JoinKey{Network: n.ID})
	b.ok(h.RevokeJoinKey(ctx(), admin, revoked.ID))
	used, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1})
	must[store.Node](t)(h.Admit(ctx(), machine(used, s, "web")))
	alive, _ := b.joinKey(h, store.JoinKey{Network: n.ID})
	b.now = b.now.Add(store.DeadKeyLife - time.Hour)
	b.joinKey(h, store.JoinKey{Network: n.ID})
	if all := must[[]store.JoinKey](t)(h.JoinKeys(ctx(), 0)); len(all) != 5 {
		t.Errorf("%d keys, want 5: the dead are still to be seen", len(all))
	}
	b.now = b.now.Add(2 * time.Hour)
	b.joinKey(h, store.JoinKey{Network: n.ID})
	all := must[[]store.JoinKey](t)(h.JoinKeys(ctx(), 0))
	if len(all) != 3 || all[0].ID != alive.ID {
		t.Errorf("%v; want %s, which is alive, and two new ones; not %s, %s, %s", all, alive.ID, expired.ID, revoked.ID, used.ID)
	}
}

func newcomersGetNamesAndAddresses(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "office", Range4: netip.MustParsePrefix("10.20.0.0/16"), Range6: netip.MustParsePrefix("fd00:20::/64")}, false))
	for i, want := range []string{"web", "web-2", "web-3"} {
		got := b.node(h, n, "web")
		if a4, a6 := fmt.Sprint("10.20.0.", i+2), fmt.Sprint("fd00:20::", i+2); got.Name != want || got.Address4.String() != a4 || got.Address6.String() != a6 {
			t.Errorf("%s %v %v, want %s %s %s", got.Name, got.Address4, got.Address6, want, a4, a6)
		}
		if read := must[store.Node](t)(h.Node(ctx(), got.ID)); !reflect.DeepEqual(read, got) {
			t.Errorf("read %+v, want %+v", read, got)
		}
	}
	all := must[[]store.Node](t)(h.Nodes(ctx(), n.ID))
	b.ok(h.DeleteNode(ctx(), admin, all[1].ID, 0))
	if got := b.node(h, n, ""); got.Name != "node" || got.Address4 != all[1].Address4 {
		t.Errorf("%s %v, want node %v", got.Name, got.Address4, all[1].Address4)
	}
	if got := b.node(h, n, "web"); got.Name != "web-2" {
		t.Errorf("%s, want web-2, which is free again", got.Name)
	}
	lab := b.network(h, "lab")
	if got := b.node(h, lab, "web"); got.Name != "web" {
		t.Errorf("%s: names are a network's own", got.Name)
	}
	if named := must[[]store.Node](t)(h.NodesNamed(ctx(), 0, "web")); len(named) != 2 || named[0].Network != n.ID || named[1].Network != lab.ID {
		t.Errorf("named web: %+v", named)
	}
	if named := must[[]store.Node](t)(h.NodesNamed(ctx(), lab.ID, "web")); len(named) != 1 || named[0].Network != lab.ID {
		t.Errorf("named web in lab: %+v", named)
	}
	if all := must[[]store.Node](t)(h.Nodes(ctx(), 0)); len(all) != 5 || all[0].Name != "web" || all[4].Network != lab.ID {
		t.Errorf("not in the order of creation: %v", all)
	}
}

func aFullNetworkAdmitsNobody(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "tiny", Range4: netip.MustParsePrefix("10.20.0.0/29"), Range6: netip.MustParsePrefix("fd00::/64")}, false))
	var last store.Node
	for range 5 {
		last = b.node(h, n, "web")
	}
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1})
	m := machine(k, s, "web")
	_, err := h.Admit(ctx(), m)
	b.refused(err, store.ErrLimit, `"tiny"`, "5 addresses")
	b.ok(h.DeleteNode(ctx(), admin, last.ID, 0))
	if got := must[store.Node](t)(h.Admit(ctx(), m)); got.Address4 != last.Address4 {
		t.Errorf("%v, want %v: a refusal must not use up the key nor the address", got.Address4, last.Address4)
	}
}

func stolenKeysAreRefused(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n, lab := b.network(h, "office"), b.network(h, "lab")
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID})
	k2, s2 := b.joinKey(h, store.JoinKey{Network: lab.ID})
	first := machine(k, s, "web")
	node := must[store.Node](t)(h.Admit(ctx(), first))
	for name, change := range map[string]func(m *store.Admission){
		"the identity with another key":         func(m *store.Admission) { m.Identity, m.Key, m.Secret = first.Identity, k2.ID, s2 },
		"the identity, the tunnel's key is new": func(m *store.Admission) { m.Identity = first.Identity },
		"the tunnel's key":                      func(m *store.Admission) { m.WG = first.WG },
		"the tunnel's key in another network":   func(m *store.Admission) { m.WG, m.Key, m.Secret = first.WG, k2.ID, s2 },
	} {
		m := machine(k, s, "thief")
		change(&m)
		_, err := h.Admit(ctx(), m)
		t.Log(name)
		b.refused(err, store.ErrExists, node.ID.String())
	}
	if all := must[[]store.Node](t)(h.Nodes(ctx(), 0)); len(all) != 1 {
		t.Errorf("%d nodes", len(all))
	}
}
