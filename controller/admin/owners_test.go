package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

const owned = `{
	"tagOwners": {"tag:web": ["group:ops"], "tag:db": ["ann@a.org"], "tag:mixed": ["bob@a.org", "autogroup:admin"]},
	"acls": [{"src": ["*"], "dst": ["*:*"]}],
}`

// A key that acts for a user may give and take the tags that this user owns, and no others, and nodes to nobody else.
func TestAKeyThatActsForAUserSetsOnlyItsTags(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	must(o.set(owned, ""))(t)
	made := must(admin.Call(ctx, o.owner, admin.CreateAPIKey, admin.CreateAPIKeyIn{InTenant: in, Body: admin.NewAPIKey{Name: "bob", User: "BOB@a.org",
		Scopes: []string{"nodes:read", "nodes:assign", "join-keys:write", "api-keys:write"}}}))(t)
	if made.Body.User != "bob@a.org" {
		t.Fatalf("%+v", made.Body)
	}
	key := must(ticket.Parse(ticket.Admin, made.Body.Ticket))(t)
	key.Addrs = []string{o.addr}
	bob := admin.NewClient(key)
	t.Cleanup(bob.Close)
	if me := must(admin.Call(ctx, bob, admin.GetWhoami, admin.Nothing{}))(t); me.Body.User != "bob@a.org" {
		t.Errorf("%+v", me.Body)
	}
	tag := func(c *admin.Client, change admin.TagChange) error {
		_, err := admin.Call(ctx, c, admin.TagNode, admin.TagNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: "desk"}, Body: change})
		return err
	}
	for _, own := range [][]string{{"web"}, {"tag:mixed"}, {"web", "mixed"}} {
		if err := tag(bob, admin.TagChange{Add: own}); err != nil {
			t.Errorf("%v: %v", own, err)
		}
	}
	if p := refused(t, tag(bob, admin.TagChange{Add: []string{"web", "db"}}), admin.CodePermission); !strings.Contains(p.Detail, "who does not own tag:db") || !strings.Contains(p.Hint, "tagOwners") {
		t.Error(p)
	}
	refused(t, tag(bob, admin.TagChange{Add: []string{"nobody-has-heard-of"}}), admin.CodePermission)
	must(0, tag(o.owner, admin.TagChange{Add: []string{"db"}}))(t)
	refused(t, tag(bob, admin.TagChange{Remove: []string{"db"}}), admin.CodePermission)
	must(0, tag(bob, admin.TagChange{Remove: []string{"web", "mixed"}}))(t)

	join := func(k admin.NewJoinKey) error {
		k.Network = "office"
		_, err := admin.Call(ctx, bob, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: k})
		return err
	}
	must(0, join(admin.NewJoinKey{User: "bob@a.org"}))(t)
	must(0, join(admin.NewJoinKey{Tags: []string{"web"}}))(t)
	refused(t, join(admin.NewJoinKey{Tags: []string{"db"}}), admin.CodePermission)
	refused(t, join(admin.NewJoinKey{User: "ann@a.org"}), admin.CodePermission)

	makes := func(user string) (admin.CreateAPIKeyOut, error) {
		return admin.Call(ctx, bob, admin.CreateAPIKey, admin.CreateAPIKeyIn{InTenant: in, Body: admin.NewAPIKey{Name: "more", User: user, Scopes: []string{"nodes:assign"}}})
	}
	if k := must(makes(""))(t); k.Body.User != "bob@a.org" {
		t.Errorf("it has made a key that acts for %q", k.Body.User)
	}
	_, err := makes("ann@a.org")
	refused(t, err, admin.CodePermission)
	_, err = makes("ghost@a.org")
	refused(t, err, admin.CodeNotFound)
	trail := must(admin.Call(ctx, o.owner, admin.ListEvents, admin.ListEventsIn{InTenant: in, Page: admin.Page{Limit: 100}}))(t)
	named := false
	for _, e := range trail.Body.Items {
		named = named || e.Action == "node.tag" && strings.HasSuffix(e.Actor, " bob for bob@a.org")
	}
	if !named {
		t.Error("the trail does not say for whom a key has acted")
	}
	must(admin.Call(ctx, o.owner, admin.DeleteUser, admin.DeleteUserIn{OneUserIn: admin.OneUserIn{InTenant: in, User: "bob@a.org"}, Force: true}))(t)
	o.pass(time.Second)
	_, err = admin.Call(ctx, bob, admin.GetWhoami, admin.Nothing{})
	refused(t, err, admin.CodeUnknownKey)
}

// A key that acts for nobody and may not write the policy gives and takes what every admin owns: with any tag it could reach whatever the policy lets some machine reach.
func TestAKeyThatActsForNobodySetsOnlyTheTagsOfAdmins(t *testing.T) {
	o := newOffice(t)
	must(o.set(owned, ""))(t)
	robot, chief := o.client(o.tenant.ID, time.Time{}, "nodes:assign", "join-keys:write"), o.client(o.tenant.ID, time.Time{}, "admin")
	tag := func(c *admin.Client, change admin.TagChange) error {
		_, err := admin.Call(t.Context(), c, admin.TagNode, admin.TagNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: "desk"}, Body: change})
		return err
	}
	must(0, tag(robot, admin.TagChange{Add: []string{"mixed"}}))(t)
	for _, foreign := range []string{"web", "db", "nobody-has-heard-of"} {
		if p := refused(t, tag(robot, admin.TagChange{Add: []string{foreign}}), admin.CodePermission); !strings.Contains(p.Detail, "acts for nobody") || !strings.Contains(p.Hint, "autogroup:admin") {
			t.Error(p)
		}
		must(0, tag(chief, admin.TagChange{Add: []string{foreign}}))(t)
		refused(t, tag(robot, admin.TagChange{Remove: []string{foreign}}), admin.CodePermission)
	}
	_, err := admin.Call(t.Context(), robot, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: admin.NewJoinKey{Network: "office", Tags: []string{"db"}}})
	refused(t, err, admin.CodePermission)
}
