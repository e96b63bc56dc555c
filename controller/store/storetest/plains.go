package storetest

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"

	"google.golang.org/protobuf/proto"
)

// phone is a plain device with fresh keys for some nodes of a network.
func phone(n store.Network, name string, nodes ...store.Node) store.Plain {
	p := store.Plain{Network: n.ID, Name: name, WG: key.NewWGPrivate().Public(), Preshared: key.NewPreshared()}
	for _, o := range nodes {
		p.Nodes = append(p.Nodes, o.ID)
	}
	return p
}

// plain makes one.
func (b *bench) plain(h store.Handle, p store.Plain) store.Plain {
	b.t.Helper()
	return must[store.Plain](b.t)(h.CreatePlain(ctx(), admin, p))
}

func plainDevicesComeAndGo(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "office", Range4: netip.MustParsePrefix("10.20.0.0/16"), Range6: netip.MustParsePrefix("fd00:20::/64")}, false))
	web, db := b.node(h, n, "web"), b.node(h, n, "db")
	want := phone(n, "phone", web, db)
	want.Endpoint, want.Keepalive = netip.MustParseAddrPort("192.0.2.7:51820"), 25
	got := b.plain(h, want)
	if got.ID.IsZero() || got.Version <= db.Version || !got.Created.Equal(b.now) || got.CreatedBy != admin || got.Revision != 1 {
		t.Errorf("%+v", got)
	}
	want.Address4, want.Address6 = netip.MustParseAddr("10.20.0.4"), netip.MustParseAddr("fd00:20::4")
	want.ID, want.Version, want.Created, want.CreatedBy, want.Revision = got.ID, got.Version, got.Created, got.CreatedBy, got.Revision
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	m := new(pb.Plain)
	b.ok(proto.Unmarshal(got.Entry(), m))
	if e, err := control.ParsePlain(m); err != nil || e.ID != got.ID || e.Preshared != want.Preshared || e.Endpoint != want.Endpoint || e.Keepalive != 25 || e.Address6 != want.Address6 {
		t.Errorf("its nodes are told %+v, %v", e, err)
	}
	bare := phone(n, "router", web)
	bare.Preshared = key.Preshared{}
	bare = b.plain(h, bare)
	for _, read := range [][]store.Plain{
		{must[store.Plain](t)(h.Plain(ctx(), got.ID)), must[store.Plain](t)(h.Plain(ctx(), bare.ID))},
		must[[]store.Plain](t)(h.Plains(ctx(), n.ID)), must[[]store.Plain](t)(h.Plains(ctx(), 0)), must[store.Load](t)(h.Load(ctx())).Plains,
	} {
		if !reflect.DeepEqual(read, []store.Plain{got, bare}) {
			t.Errorf("read %+v", read)
		}
	}
	b.refused(h.DeletePlain(ctx(), admin, got.ID, got.Version+1), store.ErrConflict, "look at it again")
	b.ok(h.DeletePlain(ctx(), admin, got.ID, got.Version))
	b.refused(h.DeletePlain(ctx(), admin, got.ID, 0), store.ErrNotFound, got.ID.String())
	_, err := h.Plain(ctx(), got.ID)
	b.refused(err, store.ErrNotFound)
	l := must[store.Load](t)(h.Load(ctx()))
	if tomb := l.Tombstones; len(tomb) != 1 || !reflect.DeepEqual(tomb[0], store.Tombstone{Plain: got.ID, Nodes: got.Nodes, Network: n.ID, Version: l.Tenant.Hard, At: b.now}) {
		t.Errorf("%+v", tomb)
	}
	if again := b.node(h, n, "phone"); again.Name != "phone" || again.Address4 != want.Address4 {
		t.Errorf("its name and its address are not free again: %s %v", again.Name, again.Address4)
	}
}

func namesAndKeysAreSharedWithPlainDevices(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n, lab := b.network(h, "office"), b.network(h, "lab")
	web, far := b.node(h, n, "web"), b.node(h, lab, "far")
	p := b.plain(h, phone(n, "phone", web))
	if got := b.node(h, n, "phone"); got.Name != "phone-2" || got.Address4 == p.Address4 {
		t.Errorf("a node became %s %v", got.Name, got.Address4)
	}
	_, err := h.RenameNode(ctx(), admin, web.ID, "phone", 0)
	b.refused(err, store.ErrExists, `"phone"`)
	if got := b.plain(h, phone(lab, "phone", far)); got.Name != "phone" {
		t.Error("names are a network's own")
	}
	k, s := b.joinKey(h, store.JoinKey{Network: lab.ID})
	thief := machine(k, s, "thief")
	thief.WG = p.WG
	_, err = h.Admit(ctx(), thief)
	b.refused(err, store.ErrExists, p.ID.String(), "WireGuard key")
	for _, c := range []struct {
		change func(p *store.Plain)
		want   error
		says   string
	}{
		{func(p *store.Plain) { p.Name = "web" }, store.ErrExists, `"web"`},
		{func(p *store.Plain) { p.Name = "phone" }, store.ErrExists, `"phone"`},
		{func(p *store.Plain) { p.Name = "My Phone" }, store.ErrInvalid, "did you mean my-phone?"},
		{func(o *store.Plain) { o.WG = p.WG }, store.ErrExists, p.ID.String()},
		{func(p *store.Plain) { p.WG = web.WG }, store.ErrExists, web.ID.String()},
		{func(p *store.Plain) { p.WG = far.WG }, store.ErrExists, far.ID.String()},
		{func(p *store.Plain) { p.WG = key.WGPublic{} }, store.ErrInvalid, "no WireGuard key"},
		{func(p *store.Plain) { p.Nodes = nil }, store.ErrInvalid, "name at least one"},
		{func(p *store.Plain) { p.Nodes = []ident.Node{web.ID, web.ID} }, store.ErrInvalid, "twice"},
		{func(p *store.Plain) { p.Nodes = make([]ident.Node, store.MaxPlainNodes+1) }, store.ErrLimit, "65"},
		{func(p *store.Plain) { p.Nodes = []ident.Node{7} }, store.ErrNotFound, "node"},
		{func(p *store.Plain) { p.Nodes = []ident.Node{far.ID} }, store.ErrInvalid, "another network"},
		{func(p *store.Plain) { p.Network = 7 }, store.ErrNotFound, "network"},
		{func(p *store.Plain) { p.Endpoint = netip.MustParseAddrPort("0.0.0.0:51820") }, store.ErrInvalid, "endpoint"},
		{func(p *store.Plain) { p.Endpoint = netip.MustParseAddrPort("192.0.2.7:0") }, store.ErrInvalid, "endpoint"},
		{func(p *store.Plain) { p.Endpoint = netip.MustParseAddrPort("[fe80::1%eth0]:51820") }, store.ErrInvalid, "endpoint"},
		{func(p *store.Plain) { p.Endpoint = netip.AddrPortFrom(web.Address4, 51820) }, store.ErrInvalid, "inside of network"},
	} {
		bad := phone(n, "tablet", web)
		c.change(&bad)
		_, err := h.CreatePlain(ctx(), admin, bad)
		b.refused(err, c.want, c.says)
	}
}

func aDeletedNodeLeavesPlainDevices(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	web, db := b.node(h, n, "web"), b.node(h, n, "db")
	both, one := b.plain(h, phone(n, "both", web, db)), b.plain(h, phone(n, "one", web))
	var heard []store.Change
	b.s.Listen(func(_ ident.Tenant, c []store.Change) { heard = append(heard, c...) })
	b.ok(h.DeleteNode(ctx(), admin, web.ID, 0))
	all := must[[]store.Plain](t)(h.Plains(ctx(), n.ID))
	if len(all) != 2 || !reflect.DeepEqual(all[0].Nodes, []ident.Node{db.ID}) || len(all[1].Nodes) != 0 || all[0].Version <= both.Version || all[0].Revision != both.Revision {
		t.Errorf("%+v", all)
	}
	if len(heard) != 3 || heard[0].Removed == nil || !reflect.DeepEqual(*heard[1].Plain, all[0]) || !reflect.DeepEqual(*heard[2].Plain, all[1]) {
		t.Errorf("heard %+v", heard)
	}
	if e := b.trail(acme.ID); !strings.Contains(e[len(e)-1].Detail, `"peers":2`) {
		t.Errorf("%+v", e[len(e)-1])
	}
	b.ok(h.DeleteNode(ctx(), admin, db.ID, 0))
	b.refused(h.DeleteNetwork(ctx(), admin, n.ID, 0), store.ErrConflict, "peers")
	for _, p := range []store.Plain{both, one} {
		b.ok(h.DeletePlain(ctx(), admin, p.ID, 0))
	}
	b.ok(h.DeleteNetwork(ctx(), admin, n.ID, 0))
}

func plainDevicesTakeRoom(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "tiny", Range4: netip.MustParsePrefix("10.20.0.0/29")}, false))
	web := b.node(h, n, "web")
	for i := range 4 {
		b.plain(h, phone(n, fmt.Sprintf("phone-%d", i), web))
	}
	_, err := h.CreatePlain(ctx(), admin, phone(n, "one-more", web))
	b.refused(err, store.ErrLimit, `"tiny"`, "5 addresses")
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID})
	_, err = h.Admit(ctx(), machine(k, s, "web"))
	b.refused(err, store.ErrLimit, "5 addresses")
	p := must[[]store.Plain](t)(h.Plains(ctx(), n.ID))[1]
	b.ok(h.DeletePlain(ctx(), admin, p.ID, 0))
	if got := must[store.Node](t)(h.Admit(ctx(), machine(k, s, "web"))); got.Address4 != p.Address4 || got.Address6.IsValid() {
		t.Errorf("%v, want %v", got.Address4, p.Address4)
	}
}
