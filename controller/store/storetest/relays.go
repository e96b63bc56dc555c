package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// relay makes one; a secret is given to it.
func (b *bench) relay(r store.Relay) (store.Relay, key.Secret) {
	b.t.Helper()
	secret := key.NewSecret()
	r.Hash = secret.Hash()
	return must[store.Relay](b.t)(b.s.CreateRelay(ctx(), admin, r)), secret
}

func relaysComeAndGo(t *testing.T, b *bench) {
	acme, _ := b.tenant("acme")
	r, secret := b.relay(store.Relay{Name: "fra-1", Region: "eu", Expires: b.now.Add(time.Hour)})
	b.relay(store.Relay{Name: "branch", Tenant: acme.ID, Addresses: []string{"192.0.2.9:8443"}})
	for _, bad := range []store.Relay{{Name: "fra-1", Hash: r.Hash}, {ID: r.ID, Name: "other", Hash: r.Hash}} {
		_, err := b.s.CreateRelay(ctx(), admin, bad)
		b.refused(err, store.ErrExists)
	}
	for _, bad := range []store.Relay{{Name: "No Label", Hash: r.Hash}, {Name: "x"}, {Name: "x", Hash: r.Hash, Addresses: []string{"no port"}}} {
		_, err := b.s.CreateRelay(ctx(), admin, bad)
		b.refused(err, store.ErrInvalid)
	}
	_, err := b.s.CreateRelay(ctx(), admin, store.Relay{Name: "x", Hash: r.Hash, Tenant: 7})
	b.refused(err, store.ErrNotFound)
	if _, told := r.Entry(); told {
		t.Error("a relay that nobody runs is told to nodes")
	}

	one, other := identity(t), identity(t)
	_, err = b.s.RedeemRelay(ctx(), r.ID, key.NewSecret(), one)
	b.refused(err, store.ErrKeyUnknown)
	_, err = b.s.RedeemRelay(ctx(), 7, secret, one)
	b.refused(err, store.ErrKeyUnknown)
	must[store.Relay](t)(b.s.RedeemRelay(ctx(), r.ID, secret, one))
	b.now = b.now.Add(2 * time.Hour)
	must[store.Relay](t)(b.s.RedeemRelay(ctx(), r.ID, secret, one)) // the answer was lost
	_, err = b.s.RedeemRelay(ctx(), r.ID, secret, other)
	b.refused(err, store.ErrKeyUsedUp)
	late, lateSecret := b.relay(store.Relay{Name: "late", Expires: b.now.Add(time.Minute)})
	b.now = b.now.Add(time.Minute)
	_, err = b.s.RedeemRelay(ctx(), late.ID, lateSecret, other)
	b.refused(err, store.ErrKeyExpired)

	report := store.RelayReport{Addresses: []string{"198.51.100.3:8443"}, Region: "us", STUN: 3478, Software: "1"}
	b.ok(b.s.RelayReported(ctx(), r.ID, report))
	b.ok(b.s.RelayRenewed(ctx(), r.ID, b.now.Add(time.Hour)))
	got := must[store.Relay](t)(b.s.RelayByName(ctx(), "fra-1"))
	e, told := got.Entry()
	if !told || e.Region != "eu" || len(e.Addresses) != 1 || e.Addresses[0] != "198.51.100.3:8443" || e.STUN != 3478 ||
		!got.LastSeen.Equal(b.now) || !got.CertUntil.Equal(b.now.Add(time.Hour)) || got.Identity != one || !got.LastReport.Equal(report) {
		t.Errorf("%+v, told as %+v", got, e)
	}
	b.ok(b.s.DeleteRelay(ctx(), admin, r.ID))
	b.refused(b.s.DeleteRelay(ctx(), admin, r.ID), store.ErrNotFound)
	if all := must[[]store.Relay](t)(b.s.Relays(ctx())); len(all) != 2 || all[0].Name != "branch" || all[0].Tenant != acme.ID {
		t.Errorf("%+v", all)
	}
}

func identity(t *testing.T) key.IdentityPublic {
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Public()
}

// A node that was deleted is remembered while it may show a certificate, which is longer than its tombstone stays.
func removedNodesAreRememberedForRelays(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	one, two := b.node(h, n, "one"), b.node(h, n, "two")
	b.ok(h.Renewed(ctx(), one.ID, store.Certificate{Serial: "1", NotAfter: b.now.Add(100 * 24 * time.Hour)}))
	b.ok(h.DeleteNode(ctx(), admin, one.ID, 0))
	b.ok(h.DeleteNode(ctx(), admin, two.ID, 0))
	all := must[[]store.RemovedNode](t)(b.s.RemovedNodes(ctx()))
	if len(all) != 2 || all[0].Tenant != acme.ID {
		t.Fatalf("%+v", all)
	}
	b.now = b.now.Add(store.CertLife)
	if all := must[[]store.RemovedNode](t)(b.s.RemovedNodes(ctx())); len(all) != 1 || all[0].Node != one.ID {
		t.Errorf("%+v, want node one, whose certificate is good for longer", all)
	}
	three := b.node(h, n, "three")
	must[store.Node](t)(h.SuspendNode(ctx(), admin, three.ID, 0))
	if all := must[[]store.RemovedNode](t)(b.s.RemovedNodes(ctx())); len(all) != 2 || !slices.Contains(all, store.RemovedNode{Tenant: acme.ID, Node: three.ID}) {
		t.Errorf("%+v, want node three as well, which waits", all)
	}
	must[store.Node](t)(h.ApproveNode(ctx(), admin, three.ID, 0))
	if all := must[[]store.RemovedNode](t)(b.s.RemovedNodes(ctx())); len(all) != 1 {
		t.Errorf("%+v, want node one alone", all)
	}
}

func whatRelaysCarryIsAddedUp(t *testing.T, b *bench) {
	acme, _ := b.tenant("acme")
	r, _ := b.relay(store.Relay{Name: "fra-1"})
	count := func(instance byte, bytes uint64) {
		b.ok(b.s.AddRelayed(ctx(), store.Metered{Relay: r.ID, Instance: [16]byte{instance}, Bytes: map[ident.Tenant]uint64{acme.ID: bytes, 7: 5}}))
	}
	count(1, 1000)
	count(1, 1000) // the answer was lost
	count(1, 1200)
	count(2, 34) // the relay has restarted
	today := b.now
	b.now = b.now.Add(24 * time.Hour)
	count(2, 35)
	all := must[[]store.Usage](t)(b.s.Relayed(ctx(), today))
	if len(all) != 2 || all[0].Bytes != 1234 || !all[0].Day.Equal(today.Truncate(24*time.Hour)) || all[1].Bytes != 1 {
		t.Errorf("%+v", all)
	}
	if all := must[[]store.Usage](t)(b.s.Relayed(ctx(), b.now)); len(all) != 1 {
		t.Errorf("%+v", all)
	}
	b.ok(b.s.DeleteRelay(ctx(), admin, r.ID))
	b.refused(b.s.AddRelayed(ctx(), store.Metered{Relay: r.ID}), store.ErrNotFound)
}

func nodesAreRelays(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	other, _ := b.tenant("other")
	n := b.node(h, b.network(h, "office"), "hq")
	_, err := b.s.CreateRelay(ctx(), admin, store.Relay{Name: "x", Tenant: other.ID, Node: n.ID, Hash: [32]byte{1}})
	b.refused(err, store.ErrNotFound)
	r, secret := b.relay(store.Relay{Name: "hq", Tenant: acme.ID, Node: n.ID, Addresses: []string{"192.0.2.9:8443"}})
	_, err = b.s.CreateRelay(ctx(), admin, store.Relay{Name: "second", Tenant: acme.ID, Node: n.ID, Hash: [32]byte{1}})
	b.refused(err, store.ErrConflict) // which would never come
	e, told := r.Entry()
	if !told || e.Node != n.ID || len(e.Addresses) != 0 {
		t.Errorf("the node does not hear of it, or others do: %+v", e)
	}
	_, err = b.s.RedeemRelay(ctx(), r.ID, secret, identity(t))
	b.refused(err, store.ErrKeyUnknown) // whoever knows a secret is not the node
	r = must[store.Relay](t)(b.s.RedeemRelay(ctx(), r.ID, key.Secret{}, n.Identity))
	if e, told := r.Entry(); !told || e.Addresses[0] != "192.0.2.9:8443" {
		t.Errorf("%+v", e)
	}
	if got := must[store.Relay](t)(b.s.Relay(ctx(), r.ID)); got.Node != n.ID || got.Identity != n.Identity {
		t.Errorf("%+v", got)
	}
	b.ok(b.s.DeleteRelay(ctx(), admin, r.ID))
	b.relay(store.Relay{Name: "again", Tenant: acme.ID, Node: n.ID})
}
