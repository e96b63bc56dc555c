package admin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
)

func oneUser(login string) admin.OneUserIn { return admin.OneUserIn{InTenant: in, User: login} }

func (w *world) user(login string, groups ...string) admin.UserOut {
	w.t.Helper()
	return must(admin.Call(w.t.Context(), w.owner, admin.CreateUser, admin.CreateUserIn{InTenant: in, Body: admin.NewUser{Login: login, Groups: groups}}))(w.t)
}

func TestAUserFromTheFirstDayToTheLast(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	must(admin.Call(ctx, w.owner, admin.CreateGroup, admin.CreateGroupIn{InTenant: in, Body: admin.NewGroup{Name: "dev"}}))(t)
	u := w.user("Alice@Example.com", "dev")
	if u.Body.Login != "alice@example.com" || u.Body.Role != admin.UserMember || !slices.Equal(u.Body.Groups, []string{"group:dev"}) || u.ETag == "" {
		t.Errorf("%+v", u)
	}
	_, err := admin.Call(ctx, w.owner, admin.CreateUser, admin.CreateUserIn{InTenant: in, Body: admin.NewUser{Login: "alice@example.com"}})
	refused(t, err, admin.CodeExists)
	_, err = admin.Call(ctx, w.owner, admin.CreateUser, admin.CreateUserIn{InTenant: in, Body: admin.NewUser{Login: "alice"}})
	refused(t, err, admin.CodeInvalid)
	_, err = admin.Call(ctx, w.owner, admin.CreateUser, admin.CreateUserIn{InTenant: in, Body: admin.NewUser{Login: "bob@example.com", Groups: []string{"ops"}}})
	if p := refused(t, err, admin.CodeNotFound); !strings.Contains(p.Detail, "group:ops") {
		t.Errorf("%+v", p)
	}

	chief := must(admin.Call(ctx, w.owner, admin.ChangeUser, admin.ChangeUserIn{OneUserIn: oneUser("alice@example.com"), Body: admin.UserChange{Role: admin.UserAdmin}}))(t)
	if chief.Body.Role != admin.UserAdmin || !slices.Equal(chief.Body.Groups, []string{"group:dev"}) {
		t.Errorf("a new role changed more: %+v", chief)
	}
	none := []string{}
	_, err = admin.Call(ctx, w.owner, admin.ChangeUser, admin.ChangeUserIn{OneUserIn: oneUser("alice@example.com"), IfMatch: admin.IfMatch{IfMatch: u.ETag}, Body: admin.UserChange{Groups: &none}})
	refused(t, err, admin.CodeChanged)
	if out := must(admin.Call(ctx, w.owner, admin.ChangeUser, admin.ChangeUserIn{OneUserIn: oneUser("alice@example.com"), IfMatch: admin.IfMatch{IfMatch: chief.ETag}, Body: admin.UserChange{Groups: &none}}))(t); len(out.Body.Groups) != 0 || out.Body.Role != admin.UserAdmin {
		t.Errorf("%+v", out)
	}

	laptop := w.joinAs("office", "laptop", admin.NewJoinKey{User: "Alice@example.com"})
	server := w.joinAs("office", "server", admin.NewJoinKey{User: "alice@example.com", Tags: []string{"web"}})
	owned := must(admin.Call(ctx, w.owner, admin.ListNodes, admin.ListNodesIn{InTenant: in, Page: admin.Page{Limit: 10}, User: "ALICE@example.com"}))(t)
	if len(owned.Body.Items) != 2 || owned.Body.Items[0].ID != laptop.ID || owned.Body.Items[0].User != "alice@example.com" || owned.Body.Items[0].Attributes["node:os"] != "linux" {
		t.Errorf("%+v", owned.Body)
	}
	del := admin.DeleteUserIn{OneUserIn: oneUser("alice@example.com")}
	_, err = admin.Call(ctx, w.owner, admin.DeleteUser, del)
	refused(t, err, admin.CodeConflict)
	del.Force = true
	if gone := must(admin.Call(ctx, w.owner, admin.DeleteUser, del))(t); gone.Body != (admin.Gone{Nodes: 1, Orphans: 1, Keys: 2}) {
		t.Errorf("%+v", gone)
	}
	if n := must(admin.Call(ctx, w.owner, admin.GetNode, admin.OneNodeIn{InTenant: in, Node: server.ID.String()}))(t); n.Body.User != "" || !slices.Equal(n.Body.Tags, []string{"tag:web"}) {
		t.Errorf("%+v", n.Body)
	}
	_, err = admin.Call(ctx, w.owner, admin.GetNode, admin.OneNodeIn{InTenant: in, Node: laptop.ID.String()})
	refused(t, err, admin.CodeNotFound)
	_, err = admin.Call(ctx, w.owner, admin.GetUser, oneUser("alice@example.com"))
	if p := refused(t, err, admin.CodeNotFound); !strings.Contains(p.Hint, "user list") {
		t.Errorf("%+v", p)
	}
}

func TestGroupsAndUsersComeInPages(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{"ops", "dev", "all"} {
		must(admin.Call(ctx, w.owner, admin.CreateGroup, admin.CreateGroupIn{InTenant: in, Body: admin.NewGroup{Name: name}}))(t)
	}
	logins := []string{"a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"}
	for _, l := range logins {
		w.user(l)
	}
	all := admin.OneGroupIn{InTenant: in, Group: "all"}
	if g := must(admin.Call(ctx, w.owner, admin.ChangeMembers, admin.ChangeMembersIn{OneGroupIn: all, Body: admin.MemberChange{Add: logins}}))(t); g.Body.Members != 5 || g.Body.Name != "group:all" {
		t.Errorf("%+v", g)
	}
	for name, page := range map[string]func(cursor string) (admin.List[string], error){
		"users": func(cursor string) (out admin.List[string], err error) {
			l, err := admin.Call(ctx, w.owner, admin.ListUsers, admin.ListUsersIn{InTenant: in, Page: admin.Page{Limit: 2, After: cursor}})
			for _, u := range l.Body.Items {
				out.Items = append(out.Items, u.Login)
			}
			out.Next = l.Body.Next
			return out, err
		},
		"members": func(cursor string) (admin.List[string], error) {
			l, err := admin.Call(ctx, w.owner, admin.ListMembers, admin.ListMembersIn{OneGroupIn: all, Page: admin.Page{Limit: 2, After: cursor}})
			return l.Body, err
		},
	} {
		var got []string
		for item, err := range admin.All(page) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, item)
		}
		if !slices.Equal(got, logins) {
			t.Errorf("%s: %v", name, got)
		}
	}
	first := must(admin.Call(ctx, w.owner, admin.ListGroups, admin.ListGroupsIn{InTenant: in, Page: admin.Page{Limit: 2}}))(t)
	rest := must(admin.Call(ctx, w.owner, admin.ListGroups, admin.ListGroupsIn{InTenant: in, Page: admin.Page{Limit: 2, After: first.Body.Next}}))(t)
	if len(first.Body.Items) != 2 || first.Body.Items[0].Name != "group:all" || len(rest.Body.Items) != 1 || rest.Body.Items[0].Name != "group:ops" || rest.Body.Next != "" {
		t.Errorf("%+v, %+v", first, rest)
	}
	_, err := admin.Call(ctx, w.owner, admin.ChangeMembers, admin.ChangeMembersIn{OneGroupIn: all, Body: admin.MemberChange{Add: []string{"z@x.example"}, Remove: logins}})
	refused(t, err, admin.CodeNotFound)
	if g := must(admin.Call(ctx, w.owner, admin.GetGroup, all))(t); g.Body.Members != 5 {
		t.Errorf("half of a refused change was made: %+v", g)
	}
	must(admin.Call(ctx, w.owner, admin.DeleteGroup, all))(t)
	_, err = admin.Call(ctx, w.owner, admin.GetGroup, all)
	refused(t, err, admin.CodeNotFound)
}

func TestTagsAreGivenAndTaken(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	n := w.join("office", "web", false)
	change := func(ifMatch string, add, remove []string) (admin.TagNodeOut, error) {
		return admin.Call(ctx, w.owner, admin.TagNode, admin.TagNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: n.ID.String()}, IfMatch: admin.IfMatch{IfMatch: ifMatch}, Body: admin.TagChange{Add: add, Remove: remove}})
	}
	one := must(change("", []string{"web", "tag:db", "web"}, nil))(t)
	if !slices.Equal(one.Body.Tags, []string{"tag:db", "tag:web"}) {
		t.Errorf("%+v", one.Body)
	}
	two := must(change(one.ETag, []string{"eu"}, []string{"db", "none"}))(t)
	if !slices.Equal(two.Body.Tags, []string{"tag:eu", "tag:web"}) {
		t.Errorf("%+v", two.Body)
	}
	_, err := change(one.ETag, []string{"x"}, nil)
	refused(t, err, admin.CodeChanged)
	_, err = change("", []string{"Not A Tag"}, nil)
	refused(t, err, admin.CodeInvalid)
}

// Whose a node is and which tags it has is what policy goes by: who may only admit nodes does not decide it.
func TestAnOperatorAssignsNothing(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must(admin.Call(ctx, w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	w.user("alice@example.com")
	n := w.join("office", "web", false)
	operator := w.client(w.tenant.ID, time.Time{}, "operator")
	for _, k := range []admin.NewJoinKey{{Network: "office", User: "alice@example.com"}, {Network: "office", Tags: []string{"web"}}} {
		_, err := admin.Call(ctx, operator, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: k})
		if p := refused(t, err, admin.CodePermission); !strings.Contains(p.Detail, "nodes:assign") {
			t.Errorf("%+v", p)
		}
	}
	_, err := admin.Call(ctx, operator, admin.TagNode, admin.TagNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: n.ID.String()}, Body: admin.TagChange{Add: []string{"web"}}})
	refused(t, err, admin.CodePermission)
	must(admin.Call(ctx, operator, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: admin.NewJoinKey{Network: "office"}}))(t)
	_, err = admin.Call(ctx, w.owner, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: in, Body: admin.NewJoinKey{Network: "office", User: "bob@example.com"}})
	if p := refused(t, err, admin.CodeNotFound); !strings.Contains(p.Hint, "user create") {
		t.Errorf("%+v", p)
	}
}

func TestWhoHasNoKeySendsNoLongBody(t *testing.T) {
	w := newWorld(t)
	long := `{"name":"` + strings.Repeat("a", admin.MaxBody) + `"}`
	if resp, _ := w.raw("POST", "/api/v1/tenants", "", long); resp.StatusCode != 413 && resp.StatusCode != 401 {
		t.Errorf("status %d", resp.StatusCode)
	}
}
