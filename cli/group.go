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

// groupDoc is the JSON document of one group.
type groupDoc struct {
	Schema int `json:"schema"`
	admin.Group
}

func newGroupCreate(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "create GROUP", Short: "Create a group", Long: "create makes a group without members.",
		Example: "  cvlan admin group create dev\n  cvlan admin group create group:ops --json",
		Args:    takes("GROUP"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
				g, err := admin.Call(w, w.client, admin.CreateGroup, admin.CreateGroupIn{InTenant: w.InTenant, Body: admin.NewGroup{Name: args[0]}})
				if err != nil {
					return err
				}
				return out.Write(s.IO, groupDoc{adminSchema, g.Body}, func() {
					s.IO.Printf("%s is a group now", g.Body.Name)
					s.IO.Notef("Put users into it with: cvlan admin group add %s LOGIN...", g.Body.Name)
				})
			})
		},
	}
	outputFlags(c, &out)
	return c
}

func newGroupList(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List groups", Long: "list shows the groups of the tenant's directory. Those that a policy document defines stand in the document.",
		Example: "  cvlan admin group list\n  cvlan admin group list --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error {
				all, err := collect(func(p admin.Page) (admin.List[admin.Group], error) {
					l, err := admin.Call(w, w.client, admin.ListGroups, admin.ListGroupsIn{InTenant: w.InTenant, Page: p})
					return l.Body, err
				})
				if err != nil {
					return err
				}
				doc := struct {
					Schema int           `json:"schema"`
					Groups []admin.Group `json:"groups"`
				}{adminSchema, all}
				return out.Write(s.IO, doc, func() { s.printGroups(all) })
			})
		},
	}
	outputFlags(c, &out)
	return c
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
	var out iox.Output
	c := &cobra.Command{
		Use: "show GROUP", Short: "Show a group's members", Long: "show lists the members of a group, one a line.",
		Example: "  cvlan admin group show dev\n  cvlan admin group show dev --json",
		Args:    takes("GROUP"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
				g, err := admin.Call(w, w.client, admin.GetGroup, w.group(args[0]))
				if err != nil {
					return err
				}
				users, err := collect(func(p admin.Page) (admin.List[string], error) {
					l, err := admin.Call(w, w.client, admin.ListMembers, admin.ListMembersIn{OneGroupIn: w.group(args[0]), Page: p})
					return l.Body, err
				})
				if err != nil {
					return err
				}
				doc := struct {
					Schema int `json:"schema"`
					admin.Group
					Users []string `json:"users"`
				}{adminSchema, g.Body, users}
				return out.Write(s.IO, doc, func() { s.printMembers(g.Body, users) })
			})
		},
	}
	outputFlags(c, &out)
	return c
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
	var out iox.Output
	c := &cobra.Command{
		Use: verb + " GROUP LOGIN...", Short: short, Long: long,
		Example: "  cvlan admin group " + verb + " dev alice@example.com\n  cvlan admin group " + verb + " dev alice@example.com bob@example.com",
		Args:    takesMore("GROUP", "LOGIN"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
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
				return out.Write(s.IO, groupDoc{adminSchema, g.Body}, func() { s.IO.Printf("%s has %s", g.Body.Name, members(g.Body.Members)) })
			})
		},
	}
	outputFlags(c, &out)
	return c
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
	var sure bool
	c := &cobra.Command{
		Use: "delete GROUP", Short: "Delete a group", Long: "delete deletes a group. Its members stay users, but rules that name the group mean them no longer.",
		Example: "  cvlan admin group delete dev\n  cvlan admin group delete dev --yes",
		Args:    takes("GROUP"),
		RunE: func(c *cobra.Command, args []string) error {
			if !sure && !s.IO.Confirm("Delete the group "+args[0]+"?") {
				return &iox.Error{Exit: iox.Interrupted, What: "nothing was deleted"}
			}
			return s.do(c, func(w *work) error {
				_, err := admin.Call(w, w.client, admin.DeleteGroup, w.group(args[0]))
				if err == nil {
					s.IO.Printf("%s is deleted", args[0])
				}
				return err
			})
		},
	}
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	return c
}

func (w *work) group(name string) admin.OneGroupIn {
	return admin.OneGroupIn{InTenant: w.InTenant, Group: name}
}
