package cli

import (
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newGroup(s *session) *cobra.Command {
	return nouns("group", "Put users into groups",
		"A group gathers users, for policy to name them together: a rule with group:dev means the members of this group, and those of the policy document's "+
			"own group of that name if it has one. The prefix group: may be left out here.",
		"  cvlan admin group create dev\n  cvlan admin group add dev alice@example.com bob@example.com",
		newGroupCreate(s), newGroupList(s), newGroupShow(s), newGroupChange(s, true), newGroupChange(s, false), newGroupDelete(s))
}

func newGroupCreate(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "create GROUP", Short: "Create a group", Long: "create makes a group without members.",
		Example: "  cvlan admin group create dev\n  cvlan admin group create group:ops --json",
		Args:    takes("GROUP"),
	}, func(w *work, args []string) error {
		g, err := admin.Call(w, w.client, admin.CreateGroup, admin.CreateGroupIn{InTenant: w.InTenant, Body: admin.NewGroup{Name: args[0]}})
		if err != nil {
			return err
		}
		return w.show(g.Body, func() {
			s.IO.Printf("%s is a group now", g.Body.Name)
			s.IO.Notef("Put users into it with: cvlan admin group add %s LOGIN...", g.Body.Name)
		})
	}, "name")
}

func newGroupList(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List groups", Long: "list shows the groups of the tenant's directory. Those that a policy document defines stand in the document.",
		Example: "  cvlan admin group list\n  cvlan admin group list --json",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListGroups, func(p admin.Page) admin.ListGroupsIn { return admin.ListGroupsIn{InTenant: w.InTenant, Page: p} })
		if err != nil {
			return err
		}
		return w.list("groups", all, func() { s.printGroups(all) })
	}, "groups.name")
}

func (s *session) printGroups(all []admin.Group) {
	if len(all) == 0 {
		s.IO.Notef("There is no group yet. Make one with: cvlan admin group create NAME")
		return
	}
	t := iox.Table{Heads: []string{"GROUP", "MEMBERS", "MADE"}}
	for _, g := range all {
		t.Row(iox.Cell(iox.Bold, g.Name), strconv.Itoa(g.Members), iox.Ago(s.Now(), g.Created))
	}
	t.Print(s.IO)
}

func newGroupShow(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "show GROUP", Short: "Show a group's members", Long: "show lists the members of a group, one a line.",
		Example: "  cvlan admin group show dev\n  cvlan admin group show dev --json",
		Args:    takes("GROUP"),
	}, func(w *work, args []string) error {
		g, err := admin.Call(w, w.client, admin.GetGroup, w.group(args[0]))
		if err != nil {
			return err
		}
		users, err := everyOf(w, admin.ListMembers, func(p admin.Page) admin.ListMembersIn {
			return admin.ListMembersIn{OneGroupIn: w.group(args[0]), Page: p}
		})
		if err != nil {
			return err
		}
		doc := struct {
			admin.Group
			Users []string `json:"users"`
		}{g.Body, users}
		return w.show(doc, func() { s.printMembers(g.Body, users) })
	}, "users")
}

func (s *session) printMembers(g admin.Group, users []string) {
	if len(users) == 0 {
		s.IO.Notef("%s has no member. Add one with: cvlan admin group add %s LOGIN", g.Name, g.Name)
	}
	for _, u := range users {
		s.IO.Printf("%s", u)
	}
}

// maxMembers is how many members one request changes.
const maxMembers = 1000

func newGroupChange(s *session, add bool) *cobra.Command {
	verb, short, long := "add", "Put users into a group", "add puts users into a group. Who is in it already stays."
	if !add {
		verb, short, long = "remove", "Take users out of a group", "remove takes users out of a group. They stay users."
	}
	return s.tells(&cobra.Command{
		Use: verb + " GROUP LOGIN...", Short: short, Long: long,
		Example: "  cvlan admin group " + verb + " dev alice@example.com\n  cvlan admin group " + verb + " dev alice@example.com bob@example.com",
		Args:    takesMore("GROUP", "LOGIN"),
	}, func(w *work, args []string) error {
		var g admin.GroupOut
		for users := range slices.Chunk(args[1:], maxMembers) {
			change := admin.MemberChange{Add: users}
			if !add {
				change = admin.MemberChange{Remove: users}
			}
			var err error
			if g, err = admin.Call(w, w.client, admin.ChangeMembers, admin.ChangeMembersIn{OneGroupIn: w.group(args[0]), Body: change}); err != nil {
				return err
			}
		}
		return w.show(g.Body, func() { s.IO.Printf("%s has %s", g.Body.Name, members(g.Body.Members)) })
	}, "name")
}

func members(n int) string {
	switch n {
	case 0:
		return "no member"
	case 1:
		return "1 member"
	default:
		return strconv.Itoa(n) + " members"
	}
}

func newGroupDelete(s *session) *cobra.Command {
	return s.ends(&cobra.Command{
		Use: "delete GROUP", Short: "Delete a group", Long: "delete deletes a group. Its members stay users, but rules that name the group mean them no longer.",
		Example: "  cvlan admin group delete dev\n  cvlan admin group delete dev --yes",
		Args:    takes("GROUP"),
	}, "Delete the group", "deleted", func(w *work, name string) error {
		return one(w, w.client, admin.DeleteGroup, w.group(name))
	})
}

func (w *work) group(name string) admin.OneGroupIn {
	return admin.OneGroupIn{InTenant: w.InTenant, Group: name}
}
