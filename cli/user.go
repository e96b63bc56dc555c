package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newUser(s *session) *cobra.Command {
	return nouns("user", "Look after the users that policy speaks of",
		"A user owns nodes: those that join with a key made with --user. Policy names users by their login, the groups they are in, or their role. "+
			"Users do not log in to the controller; API keys do.",
		"  cvlan admin user create alice@example.com --group dev\n  cvlan admin key create --network office --user alice@example.com",
		newUserCreate(s), newUserList(s), newUserShow(s), newUserSet(s), newUserDelete(s))
}

// roleFlag adds --role.
func roleFlag(c *cobra.Command, role *string, preset string) {
	c.Flags().StringVar(role, "role", preset, "member, admin or owner: what autogroup:admin and autogroup:owner of a policy mean")
}

func newUserCreate(s *session) *cobra.Command {
	var want admin.NewUser
	var role string
	c := &cobra.Command{
		Use: "create LOGIN", Short: "Create a user",
		Long:    "create makes a user. A login has the form of a mail address; nothing is sent there.",
		Example: "  cvlan admin user create alice@example.com --group dev --group ops\n  cvlan admin user create bob@example.com --role admin",
		Args:    takes("LOGIN"),
	}
	roleFlag(c, &role, string(admin.UserMember))
	c.Flags().StringArrayVar(&want.Groups, "group", nil, "group to be in; may be repeated")
	return s.tells(c, func(w *work, args []string) error {
		want.Login, want.Role = args[0], admin.UserRole(role)
		u, err := admin.Call(w, w.client, admin.CreateUser, admin.CreateUserIn{InTenant: w.InTenant, Body: want})
		if err != nil {
			return err
		}
		return w.show(u.Body, func() {
			s.IO.Printf("%s is a user now", u.Body.Login)
			s.IO.Notef("A machine of theirs joins with: cvlan admin key create --network NETWORK --user %s", u.Body.Login)
		})
	}, "login")
}

func newUserList(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List users", Long: "list shows the users of the tenant in the order of their logins.",
		Example: "  cvlan admin user list\n  cvlan admin user list --template '{{range .users}}{{.login}} {{end}}'",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListUsers, func(p admin.Page) admin.ListUsersIn { return admin.ListUsersIn{InTenant: w.InTenant, Page: p} })
		if err != nil {
			return err
		}
		return w.list("users", all, func() { s.printUsers(all) })
	}, "users.login")
}

func (s *session) printUsers(all []admin.User) {
	if len(all) == 0 {
		s.IO.Notef("There is no user yet. Make one with: cvlan admin user create LOGIN")
		return
	}
	t := iox.Table{Heads: []string{"USER", "ROLE", "GROUPS", "MADE"}}
	for _, u := range all {
		t.Row(iox.Cell(iox.Bold, u.Login), string(u.Role), strings.Join(u.Groups, ", "), iox.Ago(s.Now(), u.Created))
	}
	t.Print(s.IO)
}

// userShown is a user and its nodes.
type userShown struct {
	admin.User
	Nodes []admin.Node `json:"nodes"`
}

func newUserShow(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "show LOGIN", Short: "Show a user and its nodes", Long: "show shows a user, and the nodes that belong to it.",
		Example: "  cvlan admin user show alice@example.com\n  cvlan admin user show alice@example.com --json",
		Args:    takes("LOGIN"),
	}, func(w *work, args []string) error {
		u, err := admin.Call(w, w.client, admin.GetUser, w.user(args[0]))
		if err != nil {
			return err
		}
		nodes, err := everyOf(w, admin.ListNodes, func(p admin.Page) admin.ListNodesIn {
			return admin.ListNodesIn{InTenant: w.InTenant, Page: p, User: u.Body.Login}
		})
		if err != nil {
			return err
		}
		return w.show(userShown{u.Body, nodes}, func() { s.showUser(u.Body, nodes) })
	}, "nodes.id")
}

func (s *session) showUser(u admin.User, nodes []admin.Node) {
	t := iox.Table{}
	t.Row("user", u.Login)
	t.Row("role", string(u.Role))
	t.Row("groups", strings.Join(u.Groups, ", "))
	t.Row("nodes", strconv.Itoa(len(nodes)))
	t.Row("made", iox.Ago(s.Now(), u.Created))
	t.Print(s.IO)
	if len(nodes) == 0 {
		return
	}
	s.IO.Printf("")
	s.printNodes(nodes, false)
}

func newUserSet(s *session) *cobra.Command {
	var role string
	c := &cobra.Command{
		Use: "set LOGIN", Short: "Change a user's role",
		Long:    "set gives a user another role. Groups are changed with cvlan admin group add and remove.",
		Example: "  cvlan admin user set alice@example.com --role owner\n  cvlan admin user set bob@example.com --role member --json",
		Args:    takes("LOGIN"),
	}
	roleFlag(c, &role, "")
	needs(c, "role")
	return s.tells(c, func(w *work, args []string) error {
		in := admin.ChangeUserIn{OneUserIn: w.user(args[0]), Body: admin.UserChange{Role: admin.UserRole(role)}}
		u, err := admin.Call(w, w.client, admin.ChangeUser, in)
		if err != nil {
			return err
		}
		return w.show(u.Body, func() { s.IO.Printf("%s has the role %s", u.Body.Login, u.Body.Role) })
	}, "login")
}

func newUserDelete(s *session) *cobra.Command {
	var force bool
	c := s.tells(&cobra.Command{
		Use: "delete LOGIN", Short: "Delete a user",
		Long: "delete deletes a user and revokes the join keys that were made for it. While nodes belong to the user it is refused, because a machine " +
			"without its user would go on taking part; with --force they are removed too, and their sessions end at once. Nodes with tags stay: " +
			"they serve everybody, and belong to nobody from then on.",
		Example: "  cvlan admin user delete alice@example.com\n  cvlan admin user delete alice@example.com --force --yes",
		Args:    takes("LOGIN"),
	}, func(w *work, args []string) error {
		gone, err := admin.Call(w, w.client, admin.DeleteUser, admin.DeleteUserIn{OneUserIn: w.user(args[0]), Force: force})
		if err != nil {
			return err
		}
		doc := struct {
			Deleted string `json:"deleted"`
			admin.Gone
		}{args[0], gone.Body}
		return w.show(doc, func() { s.IO.Printf("%s is deleted%s", args[0], losses(gone.Body)) })
	})
	c.Flags().BoolVar(&force, "force", false, "remove the user's nodes too")
	confirmed(c, func(args []string) string {
		if force {
			return "Delete the user " + args[0] + " and remove its nodes?"
		}
		return "Delete the user " + args[0] + "?"
	}, "nothing was deleted", s.IO)
	return c
}

// losses says what went with a user.
func losses(g admin.Gone) string {
	var all []string
	for _, l := range []struct {
		n         int
		one, many string
	}{
		{g.Nodes, "1 node removed", "nodes removed"}, {g.Orphans, "1 node with tags belongs to nobody now", "nodes with tags belong to nobody now"},
		{g.Keys, "1 join key revoked", "join keys revoked"},
	} {
		switch l.n {
		case 0:
		case 1:
			all = append(all, l.one)
		default:
			all = append(all, strconv.Itoa(l.n)+" "+l.many)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "; " + strings.Join(all, ", ")
}

func (w *work) user(login string) admin.OneUserIn {
	return admin.OneUserIn{InTenant: w.InTenant, User: login}
}
