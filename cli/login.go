package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newLogin(s *session) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "login --key-file FILE",
		Short: "Store an admin key for the commands under admin",
		Long: "login asks the controller whether the key is good and stores it, readable by you alone, in the folder cvlan of your " +
			"configuration. --profile gives the login a name, so that you can have several.",
		Example: "  cvlan admin login --key-file ./data/admin.key\n  ssh ctl sudo cat /var/lib/cvlan-controller/admin.key | cvlan admin login --key-file -",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if file == "" {
				return usage(c, "--key-file is missing")
			}
			return s.storeLogin(c, file)
		},
	}
	c.Flags().StringVar(&file, "key-file", "", "file with the admin key; - is standard input")
	return c
}

// storeLogin stores a key that the controller accepts.
func (s *session) storeLogin(c *cobra.Command, file string) error {
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
	defer client.Close()
	me, err := admin.Call(ctx, client, admin.GetWhoami, admin.Nothing{})
	if err != nil {
		return err
	}
	name := either(s.profile, s.Getenv("CVLAN_PROFILE"), "default")
	all.Logins[name] = admin.Profile{Ticket: strings.Join(strings.Fields(text), ""), Tenant: either(s.tenant, me.Body.TenantName)}
	all.Current = name
	if err := all.Write(); err != nil {
		return err
	}
	s.IO.Printf("logged in to %s as %s (%s)", t.Addrs[0], me.Body.Name, strings.Join(me.Body.Scopes, ", "))
	return nil
}

func newLogout(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "logout",
		Short:   "Delete a stored login",
		Long:    "logout deletes the login in use, or that of --profile, from this machine. The key itself stays valid.",
		Example: "  cvlan admin logout\n  cvlan admin logout --profile work",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			all, err := s.profiles()
			if err != nil {
				return err
			}
			name := either(s.profile, s.Getenv("CVLAN_PROFILE"), all.Current)
			if _, ok := all.Logins[name]; !ok {
				return admin.ErrNoLogin
			}
			delete(all.Logins, name)
			if all.Current == name {
				all.Current = ""
			}
			if err := all.Write(); err != nil {
				return err
			}
			s.IO.Printf("logged out of %s", name)
			return nil
		},
	}
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
	t.Row("ends", iox.Until(s.Now(), me.Expires))
	t.Print(s.IO)
}
