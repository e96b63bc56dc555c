package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/doctor"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/ticket"
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
	config, leave, err := s.tuiConfig(c)
	defer leave()
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)                                          // one screen for one person: waking a second processor costs an idle interface a sixth more, and gains nothing
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGHUP) // the terminal has gone
	defer stop()
	err = tui.Run(ctx, config)
	if errors.Is(err, context.Canceled) || errors.Is(err, syscall.EIO) { // reading may fail before the signal comes
		return &iox.Error{Exit: iox.Terminated, What: "show the interface", Why: "the terminal has gone", Err: err}
	}
	return err
}

// tuiConfig connects the interface with the daemon, the controller that somebody is logged in to, and what doctor knows. leave ends what it
// has begun.
func (s *session) tuiConfig(c *cobra.Command) (config tui.Config, leave func(), err error) {
	daemon := s.daemon(c)
	exam := &examiner{Env: s.Env, daemon: daemon}
	in, out := s.IO.Direct()
	config = tui.Config{Daemon: daemon, Examine: exam.examine, Cure: s.host().Run, Now: s.Now, In: in, Out: out, Env: os.Environ(), QR: s.qrLines}
	var mu sync.Mutex // of clients: the interface logs in beside what it draws
	var clients []*admin.Client
	leave = func() {
		daemon.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range clients {
			c.Close()
		}
	}
	connect := func(t ticket.Ticket, tenant string) tui.Controller {
		client := admin.NewClient(t)
		mu.Lock()
		defer mu.Unlock()
		clients = append(clients, client)
		return tui.NewController(client, tenant)
	}
	config.LogIn = func(name string) (tui.Controller, error) {
		other := session{Env: s.Env, profile: name}
		t, p, err := other.login()
		if err != nil {
			return nil, err
		}
		return connect(t, either(p.Tenant, admin.DefaultTenant)), nil
	}
	config.Logins, config.Login, err = s.logins()
	if err != nil {
		return config, leave, err
	}
	t, tenant, err := s.ticket()
	switch {
	case errors.Is(err, admin.ErrNoLogin):
		config.NoController = "This asks a controller, and nobody is logged in to one: cvlan admin login --key-file FILE"
		return config, leave, nil
	case err != nil:
		return config, leave, err
	}
	config.Controller = connect(t, tenant)
	return config, leave, nil
}

// logins are the profiles that are stored, and which of them is in use; "" if an admin key in a file is.
func (s *session) logins() (all []tui.Login, current string, err error) {
	p, err := s.profiles()
	if err != nil {
		return nil, "", err
	}
	for _, d := range s.describe(p) {
		all = append(all, tui.Login{Name: d.Name, Controller: strings.Join(d.Controller, ", "), Tenant: d.Tenant})
	}
	if either(s.keyFile, s.Getenv("CVLAN_ADMIN_KEY_FILE")) == "" {
		current = either(s.profile, s.Getenv("CVLAN_PROFILE"), p.Current)
	}
	return all, current, nil
}

// qrLines draws a text as a QR code.
func (s *session) qrLines(text string) ([]string, error) {
	q, err := encodeQR(text)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(q.text(s.IO.Color), "\n"), "\n"), nil
}

// examiner is doctor for the interface. It remembers what the last look at the network found, which a quick one leaves out.
type examiner struct {
	*Env
	daemon doctor.Daemon
	mu     sync.Mutex
	check  *local.NetCheck
}

func (e *examiner) examine(ctx context.Context, whole bool) tui.Diagnosis {
	f := doctor.Look(ctx, e.Now(), e.daemon, e.host(), whole)
	e.mu.Lock()
	if f.Check != nil {
		e.check = f.Check
	}
	f.Check = e.check
	e.mu.Unlock()
	r := doctor.Judge(&f)
	d := tui.Diagnosis{Root: f.Host.Root}
	if whole {
		d.Check = f.Check
	}
	for _, x := range r.Findings {
		d.Findings = append(d.Findings, tui.Finding{Code: x.Code, Severity: tui.Severity(x.Severity), Network: x.Network, What: x.What, Why: x.Why, Hint: x.Hint, Cure: x.Cure})
	}
	for _, x := range r.Skipped {
		d.Skipped = append(d.Skipped, x.Check+": "+x.Why)
	}
	return d
}
