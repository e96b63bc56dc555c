package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/proto/control"
)

const alice, bob = "alice@example.com", "bob@example.com"

// user makes one.
func (b *bench) user(h store.Handle, login string, groups ...string) store.User {
	b.t.Helper()
	return must[store.User](b.t)(h.CreateUser(ctx(), admin, store.User{Login: login, Groups: groups}))
}

// group makes one.
func (b *bench) group(h store.Handle, name string) {
	b.t.Helper()
	must[store.Group](b.t)(h.CreateGroup(ctx(), admin, name))
}

// owned admits a machine with a key of a user's.
func (b *bench) owned(h store.Handle, n store.Network, user string, tags ...string) store.Node {
	b.t.Helper()
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1, User: user, Tags: tags})
	return must[store.Node](b.t)(h.Admit(ctx(), machine(k, s, "web")))
}

func usersComeChangeAndGo(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	b.group(h, "group:dev")
	made := must[store.User](t)(h.CreateUser(ctx(), admin, store.User{Login: " Alice@Example.COM", Role: store.Admin, Groups: []string{"group:dev", "group:dev"}}))
	want := store.User{Login: alice, Role: store.Admin, Groups: []string{"group:dev"}, Created: b.now, Version: made.Version}
	if !reflect.DeepEqual(made, want) || made.Version == 0 {
		t.Errorf("%+v, want %+v", made, want)
	}
	_, err := h.CreateUser(ctx(), admin, store.User{Login: "ALICE@example.com"})
	b.refused(err, store.ErrExists, alice)
	b.user(h, bob)
	if got := must[store.User](t)(h.User(ctx(), "Alice@example.com")); !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	all := must[[]store.User](t)(h.Users(ctx(), "", 10))
	if len(all) != 2 || !reflect.DeepEqual(all[0], want) || all[1].Login != bob {
		t.Errorf("listed %+v", all)
	}
	if rest := must[[]store.User](t)(h.Users(ctx(), alice, 1)); len(rest) != 1 || rest[0].Login != bob {
		t.Errorf("after alice: %+v", rest)
	}

	b.now = b.now.Add(1)
	same := must[store.User](t)(h.PutUser(ctx(), admin, made, made.Version))
	if !reflect.DeepEqual(same, want) {
		t.Errorf("no change made %+v", same)
	}
	changed := must[store.User](t)(h.PutUser(ctx(), admin, store.User{Login: alice, Role: store.Owner}, made.Version))
	if changed.Role != store.Owner || changed.Groups != nil || changed.Version <= made.Version || !changed.Created.Equal(made.Created) {
		t.Errorf("%+v", changed)
	}
	_, err = h.PutUser(ctx(), admin, store.User{Login: alice}, made.Version)
	b.refused(err, store.ErrConflict)
	_, err = h.PutUser(ctx(), admin, store.User{Login: "carol@example.com"}, 5)
	b.refused(err, store.ErrNotFound, "carol@example.com")
	must[store.User](t)(h.PutUser(ctx(), admin, store.User{Login: "carol@example.com"}, 0))

	_, err = h.DeleteUser(ctx(), admin, alice, false, made.Version)
	b.refused(err, store.ErrConflict)
	if l := must[store.Leaver](t)(h.DeleteUser(ctx(), admin, "Alice@example.com", false, 0)); l != (store.Leaver{}) {
		t.Errorf("%+v", l)
	}
	_, err = h.User(ctx(), alice)
	b.refused(err, store.ErrNotFound, alice)
	_, err = h.DeleteUser(ctx(), admin, alice, false, 0)
	b.refused(err, store.ErrNotFound, alice)
}

func whatIsNoUserIsRefused(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	for _, login := range []string{"", "alice", "@example.com", "alice@", "a b@example.com", "a@b@c", "a@b,c", "alice\x1b@example.com", "user:a@example.com", "*@example.com"} {
		_, err := h.CreateUser(ctx(), admin, store.User{Login: login})
		b.refused(err, store.ErrInvalid, "login")
	}
	_, err := h.CreateUser(ctx(), admin, store.User{Login: alice, Role: 7})
	b.refused(err, store.ErrInvalid, "member, admin, owner")
	_, err = h.CreateUser(ctx(), admin, store.User{Login: alice, Groups: []string{"group:none"}})
	b.refused(err, store.ErrNotFound, "group:none", "create it first")
	_, err = h.User(ctx(), alice)
	b.refused(err, store.ErrNotFound)
	_, err = b.s.For(store.Provider).CreateUser(ctx(), admin, store.User{Login: alice})
	b.refused(err, store.ErrInvalid)
	for _, name := range []string{"", "dev", "group:", "group:Dev", "group:a b", "group:a\n"} {
		_, err := h.CreateGroup(ctx(), admin, name)
		b.refused(err, store.ErrInvalid, "group:dev")
	}
	_, err = b.s.For(store.Provider).CreateGroup(ctx(), admin, "group:dev")
	b.refused(err, store.ErrInvalid)
	_, err = h.CreateJoinKey(ctx(), admin, store.JoinKey{Network: b.network(h, "office").ID, Hash: [32]byte{1}, User: alice})
	b.refused(err, store.ErrNotFound, alice)
}

func groupsGatherUsers(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	b.group(h, "group:ops")
	b.group(h, "group:dev")
	a := b.user(h, alice)
	b.user(h, bob, "group:ops")
	must[store.Group](t)(h.ChangeMembers(ctx(), admin, "group:dev", []string{"Alice@Example.com", bob}, nil))
	if got := must[store.User](t)(h.User(ctx(), bob)); !slices.Equal(got.Groups, []string{"group:dev", "group:ops"}) {
		t.Errorf("%+v", got)
	}
	was := must[store.User](t)(h.User(ctx(), alice))
	if was.Version <= a.Version {
		t.Error("a user who was added has no newer version")
	}
	must[store.Group](t)(h.ChangeMembers(ctx(), admin, "group:dev", []string{alice}, nil))
	if got := must[store.User](t)(h.User(ctx(), alice)); !reflect.DeepEqual(got, was) {
		t.Errorf("adding again changed %+v to %+v", was, got)
	}
	_, err := h.ChangeMembers(ctx(), admin, "group:none", []string{alice}, nil)
	b.refused(err, store.ErrNotFound, "group:none")
	_, err = h.ChangeMembers(ctx(), admin, "group:ops", []string{alice, "carol@example.com"}, nil)
	b.refused(err, store.ErrNotFound, "carol")
	if got := must[store.User](t)(h.User(ctx(), alice)); !reflect.DeepEqual(got, was) {
		t.Error("half of a refused list was added")
	}
	all := must[[]store.Group](t)(h.Groups(ctx(), "", 10))
	want := []store.Group{{Name: "group:dev", Members: 2, Created: b.now}, {Name: "group:ops", Members: 1, Created: b.now}}
	if !reflect.DeepEqual(all, want) || must[store.Group](t)(h.Group(ctx(), "group:dev")) != want[0] {
		t.Errorf("%+v, want %+v", all, want)
	}
	if got := must[[]string](t)(h.Members(ctx(), "group:dev", "", 10)); !slices.Equal(got, []string{alice, bob}) {
		t.Errorf("members: %v", got)
	}
	if got := must[[]string](t)(h.Members(ctx(), "group:dev", alice, 10)); !slices.Equal(got, []string{bob}) {
		t.Errorf("members after alice: %v", got)
	}
	must[store.Group](t)(h.ChangeMembers(ctx(), admin, "group:dev", nil, []string{alice}))
	must[store.Group](t)(h.ChangeMembers(ctx(), admin, "group:dev", nil, []string{alice}))
	b.ok(h.DeleteGroup(ctx(), admin, "group:dev"))
	_, err = h.Members(ctx(), "group:dev", "", 10)
	b.refused(err, store.ErrNotFound)
	b.refused(h.DeleteGroup(ctx(), admin, "group:dev"), store.ErrNotFound)
	if a, o := must[store.User](t)(h.User(ctx(), alice)), must[store.User](t)(h.User(ctx(), bob)); a.Groups != nil || !slices.Equal(o.Groups, []string{"group:ops"}) {
		t.Errorf("%+v, %+v", a, o)
	}
	must[store.Leaver](t)(h.DeleteUser(ctx(), admin, bob, false, 0))
	if got := must[store.Group](t)(h.Group(ctx(), "group:ops")); got.Members != 0 {
		t.Errorf("%+v counts a member who is gone", got)
	}
}

func aBigGroupGoesAtOnce(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	b.group(h, "group:all")
	const n = 2100
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			for j := range n / 30 {
				b.user(h, fmt.Sprintf("u%d-%d@example.com", i, j), "group:all")
			}
		})
	}
	wg.Wait()
	changes := 0
	b.s.Listen(func(_ ident.Tenant, c []store.Change) { changes += len(c) })
	b.ok(h.DeleteGroup(ctx(), admin, "group:all"))
	if changes != n {
		t.Errorf("%d changes, want %d", changes, n)
	}
	for _, u := range must[store.Load](t)(h.Load(ctx())).Users {
		if u.Groups != nil {
			t.Fatalf("%+v", u)
		}
	}
}

func nodesBelongToWhomTheirKeyNames(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	n := b.network(h, "office")
	b.user(h, alice)
	b.user(h, bob)
	laptop, server := b.owned(h, n, alice), b.owned(h, n, alice, "tag:web")
	other := b.owned(h, n, bob)
	if laptop.User != alice || server.User != alice || other.User != bob {
		t.Errorf("%+v, %+v, %+v", laptop, server, other)
	}
	unused, secret := b.joinKey(h, store.JoinKey{Network: n.ID, User: alice})
	_, err := h.DeleteUser(ctx(), admin, alice, false, 0)
	b.refused(err, store.ErrConflict, "(1)", "--force")
	if got := must[store.Leaver](t)(h.DeleteUser(ctx(), admin, alice, true, 0)); got != (store.Leaver{Nodes: 1, Orphans: 1, Keys: 3}) {
		t.Errorf("%+v", got)
	}
	_, err = h.Node(ctx(), laptop.ID)
	b.refused(err, store.ErrNotFound)
	if got := must[store.Node](t)(h.Node(ctx(), server.ID)); got.User != "" || got.Version <= server.Version || got.Revision != server.Revision {
		t.Errorf("%+v", got)
	}
	if got := must[[]store.Node](t)(h.OwnedNodes(ctx(), bob)); !reflect.DeepEqual(got, []store.Node{other}) {
		t.Errorf("bob's: %+v", got)
	}
	if got := must[store.Node](t)(h.Node(ctx(), other.ID)); !reflect.DeepEqual(got, other) {
		t.Errorf("%+v, want %+v", got, other)
	}
	_, err = h.Admit(ctx(), machine(unused, secret, "web"))
	b.refused(err, store.ErrKeyRevoked)
	actions := map[string]int{}
	for _, e := range b.trail(acme.ID) {
		actions[e.Action]++
	}
	if actions["user.delete"] != 1 || actions["node.delete"] != 1 || actions["node.disown"] != 1 || actions["key.revoke"] != 3 {
		t.Errorf("%v", actions)
	}
}

func tagsAreSignedAnew(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	k, s := b.joinKey(h, store.JoinKey{Network: n.ID, Uses: 1})
	m := machine(k, s, "web")
	m.Identity = must[key.Identity](t)(key.NewIdentity()).Public()
	node := must[store.Node](t)(h.Admit(ctx(), m))
	tagged := must[store.Node](t)(h.SetNodeTags(ctx(), admin, node.ID, []string{"tag:web", "tag:db"}, node.Version))
	if !slices.Equal(tagged.Tags, []string{"tag:db", "tag:web"}) || tagged.Version <= node.Version || tagged.Revision != 2 {
		t.Errorf("%+v", tagged)
	}
	if r := must[control.Record](t)(control.ParseRecord(tagged.Record)); !slices.Equal(r.Tags, []string{"db", "web"}) {
		t.Errorf("record %+v", r)
	}
	if again := must[store.Node](t)(h.SetNodeTags(ctx(), admin, node.ID, []string{"tag:web", "tag:db"}, 0)); !reflect.DeepEqual(again, tagged) {
		t.Errorf("the same tags changed %+v to %+v", tagged, again)
	}
	if read := must[store.Node](t)(h.Node(ctx(), node.ID)); !reflect.DeepEqual(read, tagged) {
		t.Errorf("read %+v, want %+v", read, tagged)
	}
	_, err := h.SetNodeTags(ctx(), admin, node.ID, nil, node.Version)
	b.refused(err, store.ErrConflict)
	_, err = h.SetNodeTags(ctx(), admin, node.ID, []string{"web"}, 0)
	b.refused(err, store.ErrInvalid, "tag:")
	_, err = h.SetNodeTags(ctx(), admin, 7, nil, 0)
	b.refused(err, store.ErrNotFound)
	if bare := must[store.Node](t)(h.SetNodeTags(ctx(), admin, node.ID, nil, 0)); bare.Tags != nil || bare.Revision != 3 {
		t.Errorf("%+v", bare)
	}
	if read := must[store.Node](t)(h.Node(ctx(), node.ID)); read.Tags != nil {
		t.Errorf("read %+v", read)
	}
}

func aReportIsNewsOnce(t *testing.T, b *bench) {
	acme, h := b.tenant("acme")
	node := b.node(h, b.network(h, "office"), "web")
	if node.Attrs[acl.AttrOS] != "linux" || node.Attrs[acl.AttrVersion] != "1.0" || len(node.Attrs) != 2 {
		t.Errorf("%+v", node.Attrs)
	}
	r := store.Report{OS: "darwin", OSVersion: "14.4\n", Arch: "arm64", Software: "1.1\x1b"}
	news := must[store.Node](t)(h.ReportNode(ctx(), node.ID, r))
	want := map[string]string{acl.AttrOS: "macos", acl.AttrOSVersion: "14.4\ufffd", acl.AttrArch: "arm64", acl.AttrVersion: "1.1\ufffd"}
	if !reflect.DeepEqual(news.Attrs, want) || news.OS != "darwin" || news.Software != "1.1\ufffd" || news.Version <= node.Version || news.Revision != node.Revision {
		t.Errorf("%+v", news)
	}
	events := len(b.trail(acme.ID))
	if again := must[store.Node](t)(h.ReportNode(ctx(), node.ID, r)); !reflect.DeepEqual(again, news) || len(b.trail(acme.ID)) != events {
		t.Errorf("no news changed %+v to %+v", news, again)
	}
	_, err := h.ReportNode(ctx(), 7, r)
	b.refused(err, store.ErrNotFound)
}
