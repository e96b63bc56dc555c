package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// session is how commands under admin reach the controller.
type session struct {
	*Env
	profile string
	keyFile string
	tenant  string
	timeout span
}

func newAdmin(env *Env) *cobra.Command {
	s := &session{Env: env}
	c := &cobra.Command{
		Use:   "admin",
		Short: "Look after networks, keys and nodes",
		Long: "The commands under admin talk to the controller, from anywhere, with the admin key that `cvlan admin login` stored. " +
			"Scripts may name a key's file instead with --admin-key-file or $CVLAN_ADMIN_KEY_FILE.",
		Example: "  cvlan admin login --key-file ./data/admin.key\n  cvlan admin network create office",
		RunE:    group,
		Args:    cobra.ArbitraryArgs,
	}
	s.flags(c)
	c.AddCommand(newLogin(s), newLogout(s), newWhoami(s), newNetwork(s), newAdminPolicy(s), newKey(s), newNode(s), newAdminRoute(s), newUser(s), newGroup(s), newPeer(s), newTenant(s), newRelay(s), newCA(s), newAPIKey(s), newAudit(s), newApply(s), newExport(s))
	return c
}

// flags adds what chooses the controller and the tenant, for all commands below.
func (s *session) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&s.profile, "profile", "", "which login to use (default $CVLAN_PROFILE, else the last one made)")
	f.StringVar(&s.keyFile, "admin-key-file", "", "use the admin key in this file instead of a login (default $CVLAN_ADMIN_KEY_FILE)")
	f.StringVar(&s.tenant, "tenant", "", "tenant to act on, by name or identifier (default $CVLAN_TENANT, else the login's)")
	completes(c, "profile", s.profileNames)
	s.timeout = span(adminPatience)
	f.Var(&s.timeout, "timeout", "how long to wait for the controller; 0: without limit")
}

// adminPatience is how long commands wait for the controller unless --timeout says otherwise.
const adminPatience = 30 * time.Second

// nouns makes a command that only has commands below it.
func nouns(use, short, long, example string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Example: example, RunE: group, Args: cobra.ArbitraryArgs}
	c.AddCommand(below...)
	return c
}

// ticket returns the admin key to use, and the tenant to act on.
func (s *session) ticket() (ticket.Ticket, string, error) {
	var t ticket.Ticket
	var p admin.Profile
	var err error
	if file := either(s.keyFile, s.Getenv("CVLAN_ADMIN_KEY_FILE")); file != "" {
		_, t, err = s.readTicket(file)
	} else {
		t, p, err = s.login()
	}
	return t, either(s.tenant, s.Getenv("CVLAN_TENANT"), p.Tenant, admin.DefaultTenant), err
}

func (s *session) login() (ticket.Ticket, admin.Profile, error) {
	all, err := s.profiles()
	if err != nil {
		return ticket.Ticket{}, admin.Profile{}, err
	}
	named := either(s.profile, s.Getenv("CVLAN_PROFILE"))
	if _, ok := all.Logins[named]; named != "" && !ok {
		return ticket.Ticket{}, admin.Profile{}, noProfile("use", named, all)
	}
	_, t, p, err := all.Ticket(named)
	return t, p, err
}

func (s *session) profiles() (*admin.Profiles, error) {
	path, err := admin.ProfilesPath()
	if err != nil {
		return nil, err
	}
	all, err := admin.ReadProfiles(path)
	if err != nil {
		return nil, &iox.Error{Exit: iox.Invalid, What: err.Error(), Err: err}
	}
	return all, nil
}

// readTicket reads an admin key from a file and checks it.
func (s *session) readTicket(file string) (string, ticket.Ticket, error) {
	text, err := s.readKey(file)
	if err != nil {
		return "", ticket.Ticket{}, err
	}
	t, err := ticket.Parse(ticket.Admin, text)
	if err != nil {
		err = &iox.Error{Exit: iox.Invalid, What: "read the admin key", Why: err.Error(), Err: err,
			Hint: "the controller writes it when it starts for the first time, to admin.key in its data folder"}
	}
	return text, t, err
}

func either(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
