package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newLogin(s *session) *cobra.Command {
	return s.stores(&cobra.Command{
		Use:   "login --key-file FILE",
		Short: "Store an admin key for the commands under admin",
		Long: "login asks the controller whether the key is good and stores it, readable by you alone, in the folder cvlan of your " +
			"configuration. --profile gives the login a name, so that you can have several.",
		Example: "  cvlan admin login --key-file ./data/admin.key\n  ssh ctl sudo cat /var/lib/cvlan-controller/admin.key | cvlan admin login --key-file -",
		Args:    takes(),
	})
}

// stores completes a command that stores a key as a profile, whose name may be its argument.
func (s *session) stores(c *cobra.Command) *cobra.Command {
	var file string
	var out iox.Output
	c.RunE = func(c *cobra.Command, args []string) error {
		named := s.profile
		if len(args) > 0 {
			named = args[0]
		}
		return s.storeLogin(c, out, either(named, s.Getenv("CVLAN_PROFILE"), "default"), file)
	}
	c.Flags().StringVar(&file, "key-file", "", "file with the admin key; - is standard input")
	needs(c, "key-file")
	outputFlags(c, &out)
	return c
}

// storeLogin stores a key that the controller accepts.
func (s *session) storeLogin(c *cobra.Command, out iox.Output, name, file string) error {
	text, t, err := s.readTicket(file)
	if err != nil {
		return err
	}
	all, err := s.profiles()
	if err != nil {
		return err
	}
	ctx, cancel := s.timeout.within(c.Context())
	defer cancel()
	client := admin.NewClient(t)
	client.Asked = s.asking("the controller")
	defer client.Close()
	me, err := admin.Call(ctx, client, admin.GetWhoami, admin.Nothing{})
	if err != nil {
		return err
	}
	all.Logins[name] = admin.Profile{Ticket: strings.Join(strings.Fields(text), ""), Tenant: either(s.tenant, me.Body.TenantName)}
	all.Current = name
	if err := all.Write(); err != nil {
		return err
	}
	doc := struct {
		Profile string `json:"profile"`
		admin.Whoami
	}{name, me.Body}
	return out.Write(s.IO, document{doc}, func() {
		s.IO.Printf("logged in to %s as %s (%s)", t.Addrs[0], me.Body.Name, strings.Join(me.Body.Scopes, ", "))
	})
}

func newLogout(s *session) *cobra.Command {
	return s.changes(&cobra.Command{
		Use:     "logout",
		Short:   "Delete a stored login",
		Long:    "logout deletes the login in use, or that of --profile, from this machine. The key itself stays valid.",
		Example: "  cvlan admin logout\n  cvlan admin logout --profile work",
		Args:    takes(),
	}, func(all *admin.Profiles, _ []string) (string, error) {
		name := either(s.profile, s.Getenv("CVLAN_PROFILE"), all.Current)
		if _, ok := all.Logins[name]; !ok {
			return "", admin.ErrNoLogin
		}
		forget(all, name)
		return name, nil
	}, func(name string) { s.IO.Printf("logged out of %s", name) })
}

func newWhoami(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use:     "whoami",
		Short:   "Show the login: which controller, which key, what it may do",
		Long:    "whoami asks the controller who this key is.",
		Example: "  cvlan admin whoami\n  cvlan admin whoami --template '{{join .scopes \" \"}}'",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		me, err := admin.Call(w, w.client, admin.GetWhoami, admin.Nothing{})
		if err != nil {
			return err
		}
		return w.show(me.Body, func() { s.printWhoami(w, me.Body) })
	}, "id")
}

func (s *session) printWhoami(w *work, me admin.Whoami) {
	opens := "every tenant"
	if me.TenantName != "" {
		opens = "the tenant " + me.TenantName
	}
	t := iox.Table{}
	t.Row("key", me.Name+" ("+me.ID.String()+")")
	t.Row("controller", strings.Join(w.client.Addrs(), ", "))
	t.Row("opens", opens)
	t.Row("may", strings.Join(me.Scopes, ", "))
	if me.User != "" {
		t.Row("acts for", me.User)
	}
	t.Row("ends", iox.Until(s.Now(), me.Expires))
	t.Print(s.IO)
}
