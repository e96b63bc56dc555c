package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

func newProfile(env *Env) *cobra.Command {
	s := &session{Env: env}
	c := nouns("profile", "Keep logins to several controllers, and choose one",
		"A profile is a stored login of cvlan admin: a controller, an admin key, and the tenant to act on. The one in use serves every command that talks to a "+
			"controller, unless --profile or $CVLAN_PROFILE names another.",
		"  cvlan profile add work --key-file admin.key\n  cvlan profile use work",
		newProfileList(s), newProfileUse(s), newProfileAdd(s), newProfileRemove(s))
	return c
}

// profileDoc is what of a profile may be shown: all but its key.
type profileDoc struct {
	Name       string   `json:"name"`
	Current    bool     `json:"current"`
	Controller []string `json:"controller"`
	Tenant     string   `json:"tenant,omitempty"`
}

func newProfileList(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List profiles", Long: "list shows every profile, and marks the one in use with *. It asks no controller.",
		Example: "  cvlan profile list\n  cvlan profile list --json",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			all, err := s.profiles()
			if err != nil {
				return err
			}
			docs := s.describe(all)
			return out.Write(s.IO, document{map[string][]profileDoc{"profiles": docs}}, func() { s.printProfiles(docs) })
		},
	}
	outputFlags(c, &out, "profiles.name")
	return c
}

func (s *session) printProfiles(all []profileDoc) {
	if len(all) == 0 {
		s.IO.Notef("There is no profile yet. Add one with: cvlan profile add NAME --key-file FILE")
		return
	}
	t := iox.Table{Heads: []string{"", "PROFILE", "CONTROLLER", "TENANT"}}
	for _, p := range all {
		mark := " "
		if p.Current {
			mark = "*"
		}
		t.Row(mark, iox.Cell(iox.Bold, p.Name), strings.Join(p.Controller, ", "), p.Tenant)
	}
	t.Print(s.IO)
}

func (s *session) describe(all *admin.Profiles) []profileDoc {
	docs := []profileDoc{}
	current := either(s.Getenv("CVLAN_PROFILE"), all.Current)
	for _, name := range slices.Sorted(maps.Keys(all.Logins)) {
		p := all.Logins[name]
		d := profileDoc{Name: name, Current: name == current, Tenant: p.Tenant, Controller: []string{}}
		if t, err := ticket.Parse(ticket.Admin, p.Ticket); err == nil {
			d.Controller = t.Addrs
		}
		docs = append(docs, d)
	}
	return docs
}

// changes completes a command that changes the stored logins; change says whether it did, and of which.
func (s *session) changes(c *cobra.Command, change func(all *admin.Profiles, args []string) (name string, err error), human func(name string)) *cobra.Command {
	var out iox.Output
	c.RunE = func(c *cobra.Command, args []string) error {
		all, err := s.profiles()
		if err != nil {
			return err
		}
		name, err := change(all, args)
		if err != nil {
			return err
		}
		if err := all.Write(); err != nil {
			return err
		}
		return out.Write(s.IO, document{map[string]string{"profile": name, "current": all.Current}}, func() { human(name) })
	}
	outputFlags(c, &out)
	return c
}

func newProfileUse(s *session) *cobra.Command {
	c := s.changes(&cobra.Command{
		Use: "use PROFILE", Short: "Choose the profile that commands use", Long: "use makes a profile the one that commands use which name none. It asks no controller.",
		Example: "  cvlan profile use work\n  cvlan profile use home && cvlan admin node list",
		Args:    takes("PROFILE"),
	}, func(all *admin.Profiles, args []string) (string, error) {
		if _, ok := all.Logins[args[0]]; !ok {
			return "", noProfile("use", args[0], all)
		}
		all.Current = args[0]
		return args[0], nil
	}, func(name string) {
		s.IO.Printf("%s is in use", name)
		if other := s.Getenv("CVLAN_PROFILE"); other != "" && other != name {
			s.IO.Notef("CVLAN_PROFILE is set in this shell: commands use %s until it is unset", other)
		}
	})
	completesArgs(c, false, s.profileNames)
	return c
}

// forget deletes a stored login.
func forget(all *admin.Profiles, name string) {
	delete(all.Logins, name)
	if all.Current == name {
		all.Current = ""
	}
}

func noProfile(verb, name string, all *admin.Profiles) error {
	e := &iox.Error{Exit: iox.NotFound, What: verb + " profile " + iox.Clean(name), Why: "there is none of that name", Hint: "see which there are: cvlan profile list"}
	if len(all.Logins) == 0 {
		e.Hint = "add one: cvlan profile add NAME --key-file FILE"
	}
	return e
}

func newProfileAdd(s *session) *cobra.Command {
	c := s.stores(&cobra.Command{
		Use: "add PROFILE --key-file FILE", Short: "Store an admin key as a profile, and use it",
		Long: "add asks the controller whether the key is good, stores it, readable by you alone, in the folder cvlan of your configuration, and makes it the profile in use. It does " +
			"the same as cvlan admin login --profile.",
		Example: "  cvlan profile add work --key-file admin.key\n  cvlan profile add lab --key-file - --tenant acme < admin.key",
		Args:    takes("PROFILE"),
	})
	c.Flags().StringVar(&s.tenant, "tenant", "", "tenant to act on, by name or identifier (default the key's)")
	timeoutFlag(c, &s.timeout, adminPatience, "how long to wait for the controller; 0: without limit")
	return c
}

func newProfileRemove(s *session) *cobra.Command {
	c := s.changes(&cobra.Command{
		Use: "remove PROFILE", Aliases: []string{"rm"}, Short: "Delete a profile", Long: "remove deletes a stored login from this machine. The key itself stays valid.",
		Example: "  cvlan profile remove work\n  cvlan profile remove old && cvlan profile list",
		Args:    takes("PROFILE"),
	}, func(all *admin.Profiles, args []string) (string, error) {
		if _, ok := all.Logins[args[0]]; !ok {
			return "", noProfile("remove", args[0], all)
		}
		forget(all, args[0])
		return args[0], nil
	}, func(name string) {
		s.IO.Printf("%s is removed; its key stays valid: revoke it with cvlan admin api-key revoke", name)
	})
	completesArgs(c, false, s.profileNames)
	return c
}

// profileNames are the stored logins.
func (s *session) profileNames(context.Context, *cobra.Command) (names []string) {
	all, err := s.profiles()
	if err != nil {
		return nil
	}
	for _, p := range s.describe(all) {
		names = append(names, p.Name+"\t"+strings.Join(p.Controller, ", "))
	}
	return names
}
