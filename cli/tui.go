package cli

import (
	"errors"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/tui"
)

func newTUI(env *Env) *cobra.Command {
	s := &session{Env: env}
	c := &cobra.Command{
		Use:   "tui",
		Short: "Browse the networks in the terminal, live",
		Long: "tui shows the networks of this machine on the whole terminal: peers and how they are reached, traffic, what is wrong, what the filter " +
			"drops, and what changes. Where `cvlan admin login` has stored a login it also explains policy and looks after nodes and join keys. " +
			"? shows the keys. It shows what the caller may see: paths and denials are for operators.",
		Example: "  cvlan tui\n  sudo cvlan tui\n  NO_COLOR=1 cvlan tui",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return s.browse(c) },
	}
	f := c.Flags()
	f.StringVar(&s.profile, "profile", "", "which login to a controller to use (default $CVLAN_PROFILE, else the last one made)")
	f.StringVar(&s.keyFile, "admin-key-file", "", "use the admin key in this file instead of a login (default $CVLAN_ADMIN_KEY_FILE)")
	f.StringVar(&s.tenant, "tenant", "", "tenant to act on, by name or identifier (default $CVLAN_TENANT, else the login's)")
	return c
}

func (s *session) browse(c *cobra.Command) error {
	if !s.IO.InTTY || !s.IO.OutTTY {
		return &iox.Error{Exit: iox.Usage, What: "show the interface", Why: "there is no terminal to show it on",
			Hint: "for scripts: cvlan status --json; over ssh: ssh -t HOST cvlan tui"}
	}
	if s.Getenv("TERM") == "dumb" {
		return &iox.Error{Exit: iox.Usage, What: "show the interface", Why: "TERM is dumb: the terminal cannot move its cursor", Hint: "use: cvlan status --watch"}
	}
	daemon := s.daemon(c)
	defer daemon.Close()
	config := tui.Config{Daemon: daemon, Now: s.Now, In: s.IO.In, Out: s.IO.Out, Env: os.Environ(), Systemd: runtime.GOOS == "linux",
		QR: func(text string) ([]string, error) {
			q, err := encodeQR(text)
			if err != nil {
				return nil, err
			}
			return strings.Split(strings.TrimSuffix(q.text(s.IO.Color), "\n"), "\n"), nil
		}}
	t, tenant, err := s.ticket()
	switch {
	case errors.Is(err, admin.ErrNoLogin):
		config.NoController = "This asks a controller, and nobody is logged in to one: cvlan admin login --key-file FILE"
	case err != nil:
		return err
	default:
		client := admin.NewClient(t)
		defer client.Close()
		config.Controller = tui.NewController(client, tenant)
	}
	return tui.Run(c.Context(), config)
}
