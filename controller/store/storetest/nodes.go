package storetest

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

func nodesAreApprovedRenamedAndSigned(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1, Approve: true})
	m := machine(k, s, "web")
	id := must[key.Identity](t)(key.NewIdentity())
	m.Identity = id.Public()
	node := must[store.Node](t)(h.Admit(ctx(), m))
	record := func(n store.Node) control.Record { return must[control.Record](t)(control.ParseRecord(n.Record)) }
	if r := record(node); r.Node != node.ID || r.Identity != m.Identity || r.WG != m.WG || r.Address4 != node.Address4 || r.Address6 != node.Address6 || r.Name != "web" || r.Revision != 1 {
		t.Errorf("first record: %+v", r)
	}

	approved := must[store.Node](t)(h.ApproveNode(ctx(), admin, node.ID, node.Version))
	if approved.Pending || approved.Version <= node.Version || approved.Revision != 1 {
		t.Errorf("approved: %+v", approved)
	}
	if again := must[store.Node](t)(h.ApproveNode(ctx(), admin, node.ID, 0)); !reflect.DeepEqual(again, approved) {
		t.Errorf("approved twice: %+v", again)
	}
	for range 2 {
		if n := must[store.Node](t)(h.SuspendNode(ctx(), admin, node.ID, 0)); !n.Pending || n.Version <= approved.Version || n.Revision != 1 {
			t.Errorf("suspended: %+v", n)
		}
	}
	approved = must[store.Node](t)(h.ApproveNode(ctx(), admin, node.ID, 0))

	sign := func(n store.Node) []byte {
		return must[[]byte](t)(id.Sign(control.Transcript(acme.ID, n.Network, n.Record)))
	}
	signed := must[store.Node](t)(h.SignNode(ctx(), node.ID, approved.Record, sign(approved)))
	if !id.Public().Verify(control.Transcript(acme.ID, n.ID, signed.Record), signed.Signature) || signed.Version <= approved.Version {
		t.Errorf("signed: %+v", signed)
	}
	if again := must[store.Node](t)(h.SignNode(ctx(), node.ID, approved.Record, sign(approved))); again.Version != signed.Version {
		t.Error("signing again is no change")
	}
	_, err := h.SignNode(ctx(), node.ID, []byte("other"), sign(approved))
	b.refused(err, store.ErrConflict)
	_, err = h.SignNode(ctx(), node.ID, approved.Record, []byte("short"))
	b.refused(err, store.ErrInvalid)

	renamed := must[store.Node](t)(h.RenameNode(ctx(), admin, node.ID, "db", 0))
	if r := record(renamed); r.Name != "db" || r.Revision != 2 || !bytes.Equal(renamed.Signed, approved.Record) || renamed.Revision != 2 || renamed.Version <= signed.Version {
		t.Errorf("renamed: %+v with record %+v", renamed, r)
	}
	_, err = h.SignNode(ctx(), node.ID, approved.Record, sign(approved))
	b.refused(err, store.ErrConflict, "revision 2")
	if read := must[store.Node](t)(h.Node(ctx(), node.ID)); !reflect.DeepEqual(read, renamed) {
		t.Errorf("read %+v, want %+v", read, renamed)
	}
	other := b.node(h, n, "web")
	_, err = h.RenameNode(ctx(), admin, other.ID, "db", 0)
	b.refused(err, store.ErrExists, `"db"`)
	_, err = h.RenameNode(ctx(), admin, other.ID, "Db", 0)
	b.refused(err, store.ErrInvalid, "did you mean db?")
}

func anOldVersionIsRefused(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	node := b.node(h, b.network(h, "office"), "web")
	must[store.Node](t)(h.RenameNode(ctx(), admin, node.ID, "db", node.Version))
	_, err := h.RenameNode(ctx(), admin, node.ID, "cache", node.Version)
	b.refused(err, store.ErrConflict)
	_, err = h.ApproveNode(ctx(), admin, node.ID, node.Version)
	b.refused(err, store.ErrConflict)
	b.refused(h.DeleteNode(ctx(), admin, node.ID, node.Version), store.ErrConflict)
	if got := must[store.Node](t)(h.Node(ctx(), node.ID)); got.Name != "db" {
		t.Errorf("%+v", got)
	}
}

func seenAndRenewedChangeNoVersion(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	at := map[ident.Node]time.Time{7: b.now}
	for range 5 {
		at[b.node(h, n, "web").ID] = b.now.Add(time.Minute)
	}
	before := must[store.Load](t)(h.Load(ctx()))
	heard := 0
	b.s.Listen(func(ident.Tenant, []store.Change) { heard++ })
	events := len(b.trail(acme.ID))
	b.ok(h.Seen(ctx(), at))
	b.ok(h.Renewed(ctx(), before.Nodes[0].ID, store.Certificate{Serial: "1", NotAfter: b.now.Add(time.Hour)}))
	b.refused(h.Renewed(ctx(), 7, store.Certificate{Serial: "2", NotAfter: b.now}), store.ErrNotFound)
	after := must[store.Load](t)(h.Load(ctx()))
	for i, n := range after.Nodes {
		if !n.LastSeen.Equal(b.now.Add(time.Minute)) || n.Version != before.Nodes[i].Version {
			t.Errorf("node %d: %+v", i, n)
		}
	}
	if !after.Nodes[0].CertUntil.Equal(b.now.Add(time.Hour)) || after.Tenant.Hard != before.Tenant.Hard || heard != 0 {
		t.Errorf("%+v, heard %d times", after, heard)
	}
	if got := len(b.trail(acme.ID)); got != events+1 {
		t.Errorf("%d new events, want the renewal's alone", got-events)
	}
	b.ok(h.Seen(ctx(), map[ident.Node]time.Time{after.Nodes[0].ID: b.now}))
	if got := must[store.Node](t)(h.Node(ctx(), after.Nodes[0].ID)); !got.LastSeen.Equal(b.now.Add(time.Minute)) {
		t.Error("an older time has replaced a newer one")
	}
}

func ephemeralNodesAreFound(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	b.node(h, n, "web")
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Ephemeral: true})
	ci := must[store.Node](t)(h.Admit(ctx(), machine(k, s, "ci")))
	ci2 := must[store.Node](t)(h.Admit(ctx(), machine(k, s, "ci")))
	if got := must[[]store.Node](t)(h.EphemeralNodes(ctx())); !reflect.DeepEqual(got, []store.Node{ci, ci2}) {
		t.Errorf("%v", got)
	}
}

func deletionsAreRememberedForAWhile(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	var gone []store.Tombstone
	remove := func() {
		node := b.node(h, n, "web")
		b.ok(h.DeleteNode(ctx(), admin, node.ID, 0))
		gone = append(gone, store.Tombstone{Node: node.ID, Network: n.ID, Version: must[store.Tenant](t)(h.Tenant(ctx())).Hard, At: b.now})
	}
	for range 3 {
		remove()
		b.now = b.now.Add(time.Hour)
	}
	l := must[store.Load](t)(h.Load(ctx()))
	if !reflect.DeepEqual(l.Tombstones, gone) || l.Floor != 0 {
		t.Errorf("%+v above %d, want %+v", l.Tombstones, l.Floor, gone)
	}
	b.now = b.now.Add(store.TombstoneLife + 48*time.Hour)
	remove()
	l = must[store.Load](t)(h.Load(ctx()))
	if !reflect.DeepEqual(l.Tombstones, gone[3:]) || l.Floor != gone[2].Version {
		t.Errorf("%+v above %d, want %+v above %d", l.Tombstones, l.Floor, gone[3:], gone[2].Version)
	}
	_, err := h.Node(ctx(), gone[3].Node)
	b.refused(err, store.ErrNotFound)
}
