package storetest

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

func tenantsHaveUniqueNames(t *testing.T, b *bench) {
	if all := must[[]store.Tenant](t)(b.s.Tenants(ctx())); len(all) != 0 {
		t.Errorf("a new store has tenants: %v", all)
	}
	zulu, h := b.tenant("zulu")
	alpha, _ := b.tenant("alpha")
	if !zulu.Created.Equal(b.now) {
		t.Errorf("made at %v, want %v", zulu.Created, b.now)
	}
	if all := must[[]store.Tenant](t)(b.s.Tenants(ctx())); !reflect.DeepEqual(all, []store.Tenant{zulu, alpha}) {
		t.Errorf("not in the order of their creation: %v", all)
	}
	if got := must[store.Tenant](t)(b.s.TenantByName(ctx(), "zulu")); got != zulu {
		t.Errorf("by name: %v", got)
	}
	if got := must[store.Tenant](t)(h.Tenant(ctx())); got != zulu {
		t.Errorf("by handle: %v", got)
	}
	id := ident.New[ident.Tenant]()
	ca := store.Authority{Tenant: id, Certificate: []byte("c"), Key: []byte("k")}
	for name, want := range map[string]error{"zulu": store.ErrExists, "Zulu": store.ErrInvalid, "": store.ErrInvalid} {
		_, err := b.s.CreateTenant(ctx(), admin, name, ca, id)
		b.refused(err, want)
	}
	_, err := b.s.CreateTenant(ctx(), admin, "other", store.Authority{Tenant: alpha.ID, Certificate: []byte("c"), Key: []byte("k")}, id)
	b.refused(err, store.ErrInvalid, "authority")
	_, err = b.s.TenantByName(ctx(), "nobody")
	b.refused(err, store.ErrNotFound, "nobody")
	_, err = b.s.TenantByName(ctx(), "")
	b.refused(err, store.ErrNotFound)
	_, err = b.s.For(id).Tenant(ctx())
	b.refused(err, store.ErrNotFound, id.String())
	_, err = b.s.For(id).CreateNetwork(ctx(), admin, store.Network{Name: "office"}, false)
	b.refused(err, store.ErrNotFound, id.String())
}

func anAuthorityIsSetOnce(t *testing.T, b *bench) {
	_, err := b.s.Authority(ctx(), store.Provider)
	b.refused(err, store.ErrNotFound)
	root := store.Authority{Certificate: []byte("root"), Key: []byte("secret")}
	b.ok(b.s.SetAuthority(ctx(), root))
	b.refused(b.s.SetAuthority(ctx(), root), store.ErrExists)
	if got := must[store.Authority](t)(b.s.Authority(ctx(), store.Provider)); !reflect.DeepEqual(got, root) {
		t.Errorf("%v", got)
	}
	acme, _ := b.tenant("acme")
	if got := must[store.Authority](t)(b.s.Authority(ctx(), acme.ID)); got.Tenant != acme.ID || string(got.Key) != "private key" {
		t.Errorf("%v", got)
	}
	b.refused(b.s.SetAuthority(ctx(), store.Authority{Tenant: acme.ID, Certificate: []byte("c"), Key: []byte("k")}), store.ErrExists)
	b.refused(b.s.SetAuthority(ctx(), store.Authority{Tenant: acme.ID}), store.ErrInvalid)
	b.refused(b.s.SetAuthority(ctx(), store.Authority{Tenant: 7, Certificate: []byte("c"), Key: []byte("k")}), store.ErrNotFound)
}

func theProviderHasNoNetworks(t *testing.T, b *bench) {
	_, err := b.s.For(store.Provider).CreateNetwork(ctx(), admin, store.Network{Name: "office"}, false)
	b.refused(err, store.ErrInvalid)
	if all := must[[]store.Tenant](t)(b.s.Tenants(ctx())); len(all) != 0 {
		t.Errorf("the provider shows among the tenants: %v", all)
	}
}

// estate is everything that a tenant can have.
type estate struct {
	id      ident.Tenant
	h       store.Handle
	network store.Network
	key     store.JoinKey
	secret  key.Secret
	api     store.APIKey
	node    store.Node
	plain   store.Plain
	user    string
	group   string
}

// tenantsNeverMeet has two tenants with equal names, ranges and even keys of machines: neither can see or touch what is the other's.
func tenantsNeverMeet(t *testing.T, b *bench) {
	r4, r6 := netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("fd00:20::/64")
	var m store.Admission
	device := phone(store.Network{}, "phone")
	build := func(name string) (e estate) {
		tenant, h := b.tenant(name)
		e.id, e.h = tenant.ID, h
		e.network = must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: "office", Range4: r4, Range6: r6}, false))
		e.key, e.secret = b.joinKey(h, store.JoinKey{Network: e.network.ID})
		e.user, e.group = name+"@example.com", "group:"+name
		b.group(h, e.group)
		b.user(h, e.user, e.group)
		e.api = must[store.APIKey](t)(h.CreateAPIKey(ctx(), admin, store.APIKey{Name: "ci", Hash: key.NewSecret().Hash(), Scopes: []string{"read"}}))
		if m.Wish == "" {
			m = machine(e.key, e.secret, "web")
		}
		m.Key, m.Secret = e.key.ID, e.secret
		e.node = must[store.Node](t)(h.Admit(ctx(), m))
		device.Network, device.Nodes = e.network.ID, []ident.Node{e.node.ID}
		e.plain = b.plain(h, device)
		return e
	}
	a, z := build("a"), build("z")
	if a.node.Name != z.node.Name || a.node.Address4 != z.node.Address4 || a.node.ID == z.node.ID {
		t.Errorf("tenants are in each other's way: %v, %v", a.node, z.node)
	}
	before := must[store.Load](t)(z.h.Load(ctx()))
	trail := len(b.trail(z.id))
	for name, err := range a.raid(z) {
		if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrKeyUnknown) {
			t.Errorf("%s of another tenant's: %v", name, err)
		}
	}
	b.ok(a.h.Seen(ctx(), map[ident.Node]time.Time{z.node.ID: b.now.Add(time.Hour)}))
	if after := must[store.Load](t)(z.h.Load(ctx())); !reflect.DeepEqual(after, before) || len(b.trail(z.id)) != trail {
		t.Errorf("a tenant was changed by another:\n%+v\n%+v", before, after)
	}
	l := must[store.Load](t)(a.h.Load(ctx()))
	if len(l.Networks) != 1 || l.Networks[0].ID != a.network.ID || len(l.Nodes) != 1 || l.Nodes[0].ID != a.node.ID || len(l.Plains) != 1 || l.Plains[0].ID != a.plain.ID {
		t.Errorf("a load has more than the tenant's own: %+v", l)
	}
	if n := must[[]store.Node](t)(a.h.Nodes(ctx(), z.network.ID)); len(n) != 0 {
		t.Errorf("another tenant's network shows nodes: %v", n)
	}
	if p := must[[]store.Plain](t)(a.h.Plains(ctx(), z.network.ID)); len(p) != 0 {
		t.Errorf("another tenant's network shows plain devices: %v", p)
	}
	if k := must[[]store.JoinKey](t)(a.h.JoinKeys(ctx(), z.network.ID)); len(k) != 0 {
		t.Errorf("another tenant's network shows keys: %v", k)
	}
	if p := must[[]store.Policy](t)(a.h.PolicyHistory(ctx(), z.network.ID, 0, 10)); len(p) != 0 || len(l.Policies) != 1 {
		t.Errorf("another tenant's network shows policies: %v", p)
	}
	if u := must[[]store.User](t)(a.h.Users(ctx(), "", 10)); len(u) != 1 || len(l.Users) != 1 || u[0].Login != a.user || len(must[[]store.Group](t)(a.h.Groups(ctx(), "", 10))) != 1 {
		t.Errorf("users: %v", u)
	}
	if k := must[[]store.APIKey](t)(a.h.APIKeys(ctx())); len(k) != 1 || k[0].ID != a.api.ID {
		t.Errorf("API keys: %v", k)
	}
}

// raid tries everything on what another tenant has.
func (e estate) raid(o estate) map[string]error {
	errs := map[string]error{}
	_, errs["Network"] = e.h.Network(ctx(), o.network.ID)
	_, errs["SetNetworkProtocol"] = e.h.SetNetworkProtocol(ctx(), admin, o.network.ID, control.IPsec, 0)
	errs["DeleteNetwork"] = e.h.DeleteNetwork(ctx(), admin, o.network.ID, 0)
	_, errs["CreateJoinKey"] = e.h.CreateJoinKey(ctx(), admin, store.JoinKey{Network: o.network.ID, Hash: [32]byte{1}})
	errs["RevokeJoinKey"] = e.h.RevokeJoinKey(ctx(), admin, o.key.ID)
	_, errs["Admit"] = e.h.Admit(ctx(), machine(o.key, o.secret, "spy"))
	_, errs["Node"] = e.h.Node(ctx(), o.node.ID)
	_, errs["SuspendNode"] = e.h.SuspendNode(ctx(), admin, o.node.ID, 0)
	_, errs["ApproveNode"] = e.h.ApproveNode(ctx(), admin, o.node.ID, 0)
	_, errs["RenameNode"] = e.h.RenameNode(ctx(), admin, o.node.ID, "mine", 0)
	errs["DeleteNode"] = e.h.DeleteNode(ctx(), admin, o.node.ID, 0)
	_, errs["SignNode"] = e.h.SignNode(ctx(), o.node.ID, o.node.Record, make([]byte, key.SignatureSize))
	errs["Renewed"] = e.h.Renewed(ctx(), o.node.ID, store.Certificate{Serial: "1", NotAfter: time.Now()})
	_, errs["Plain"] = e.h.Plain(ctx(), o.plain.ID)
	errs["DeletePlain"] = e.h.DeletePlain(ctx(), admin, o.plain.ID, 0)
	_, errs["CreatePlain"] = e.h.CreatePlain(ctx(), admin, phone(o.network, "spy", e.node))
	_, errs["CreatePlain with a node"] = e.h.CreatePlain(ctx(), admin, phone(e.network, "spy", o.node))
	_, errs["SetNodeTags"] = e.h.SetNodeTags(ctx(), admin, o.node.ID, nil, 0)
	_, errs["ReportNode"] = e.h.ReportNode(ctx(), o.node.ID, store.Report{OS: "spy"})
	_, errs["Policy"] = e.h.Policy(ctx(), o.network.ID)
	_, errs["PolicyAt"] = e.h.PolicyAt(ctx(), o.network.ID, 1)
	_, errs["PutPolicy"] = e.h.PutPolicy(ctx(), o.network.ID, []byte("{}"), admin, "", "")
	_, errs["User"] = e.h.User(ctx(), o.user)
	_, errs["DeleteUser"] = e.h.DeleteUser(ctx(), admin, o.user, true, 0)
	_, errs["Members"] = e.h.Members(ctx(), o.group, "", 10)
	errs["DeleteGroup"] = e.h.DeleteGroup(ctx(), admin, o.group)
	_, errs["ChangeMembers"] = e.h.ChangeMembers(ctx(), admin, o.group, []string{e.user}, nil)
	_, errs["ChangeMembers with another's user"] = e.h.ChangeMembers(ctx(), admin, e.group, []string{o.user}, nil)
	_, errs["CreateUser in a group"] = e.h.CreateUser(ctx(), admin, store.User{Login: "spy@example.com", Groups: []string{o.group}})
	_, errs["CreateJoinKey for a user"] = e.h.CreateJoinKey(ctx(), admin, store.JoinKey{Network: e.network.ID, Hash: [32]byte{1}, User: o.user})
	errs["RevokeAPIKey"] = e.h.RevokeAPIKey(ctx(), admin, o.api.ID)
	return errs
}

func apiKeysComeAndGo(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	hash := key.NewSecret().Hash()
	k := must[store.APIKey](t)(h.CreateAPIKey(ctx(), admin, store.APIKey{Name: "ci", Hash: hash, Scopes: []string{"nodes:read"}, Expires: b.now.Add(time.Hour)}))
	p := must[store.APIKey](t)(b.s.For(store.Provider).CreateAPIKey(ctx(), admin, store.APIKey{Name: "root", Hash: hash}))
	got := must[store.APIKey](t)(b.s.APIKey(ctx(), k.ID))
	if !reflect.DeepEqual(got, k) || got.Tenant != acme.ID || got.Hash != hash {
		t.Errorf("%+v, want %+v", got, k)
	}
	if got := must[store.APIKey](t)(b.s.APIKey(ctx(), p.ID)); got.Tenant != store.Provider {
		t.Errorf("the provider's key is %v's", got.Tenant)
	}
	b.ok(h.RevokeAPIKey(ctx(), admin, k.ID))
	b.ok(h.RevokeAPIKey(ctx(), admin, k.ID))
	if got := must[store.APIKey](t)(b.s.APIKey(ctx(), k.ID)); !got.Revoked {
		t.Error("not revoked")
	}
	if all := must[[]store.APIKey](t)(h.APIKeys(ctx())); len(all) != 1 || all[0].ID != k.ID {
		t.Errorf("listed: %v", all)
	}
	_, err := h.CreateAPIKey(ctx(), admin, store.APIKey{Name: "ghost", Hash: hash, User: "nobody@a.org"})
	b.refused(err, store.ErrNotFound)
	must[store.User](t)(h.CreateUser(ctx(), admin, store.User{Login: "ann@a.org"}))
	hers := must[store.APIKey](t)(h.CreateAPIKey(ctx(), admin, store.APIKey{Name: "ann", Hash: hash, User: "ann@a.org"}))
	if got := must[store.APIKey](t)(b.s.APIKey(ctx(), hers.ID)); got.User != "ann@a.org" {
		t.Errorf("it acts for %q", got.User)
	}
	if l := must[store.Leaver](t)(h.DeleteUser(ctx(), admin, "ann@a.org", false, 0)); l.Keys != 1 || !must[store.APIKey](t)(b.s.APIKey(ctx(), hers.ID)).Revoked {
		t.Errorf("a key acts for a user who is gone: %+v", l)
	}
	_, err = h.CreateAPIKey(ctx(), admin, store.APIKey{ID: p.ID, Name: "thief", Hash: hash})
	b.refused(err, store.ErrExists)
	_, err = h.CreateAPIKey(ctx(), admin, store.APIKey{Name: "empty"})
	b.refused(err, store.ErrInvalid)
	_, err = b.s.APIKey(ctx(), 7)
	b.refused(err, store.ErrNotFound)
	b.now = b.now.Add(store.DeadKeyLife + time.Hour)
	must[store.APIKey](t)(h.CreateAPIKey(ctx(), admin, store.APIKey{Name: "new", Hash: hash}))
	_, err = b.s.APIKey(ctx(), k.ID)
	b.refused(err, store.ErrNotFound)
}
