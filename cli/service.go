package cli

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/sys/svc"
)

func newService(env *Env) *cobra.Command {
	return nouns("service", "Have the system keep the daemon running",
		"service makes cvland a service of systemd, shut in as far as its work allows: it is started at every boot, and again when it ends. Where "+
			"another service manager runs the machine, have that one run cvland; it needs no arguments and stays in the foreground.",
		"  sudo cvlan service install\n  cvlan service status",
		newServiceInstall(env), newServiceUninstall(env), newServiceStatus(env))
}

// services returns the service manager.
func (e *Env) services() (*svc.Manager, error) {
	if e.Services != nil {
		return e.Services, nil
	}
	m, err := svc.Find()
	if err != nil {
		return nil, &iox.Error{Exit: iox.NotFound, What: "find the service manager", Why: err.Error(), Err: err,
			Hint: "have this machine's service manager run cvland, which needs no arguments and stays in the foreground; or in a terminal: sudo cvland"}
	}
	return m, nil
}

// serviceFault is what a person learns of a refusal.
func serviceFault(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, svc.ErrForeign):
		return &iox.Error{Exit: iox.Invalid, What: what, Why: err.Error(), Err: err, Hint: "a package or an administrator has made it: start it with sudo systemctl enable --now cvland, or remove it first"}
	case errors.Is(err, fs.ErrPermission):
		return &iox.Error{Exit: iox.Permission, What: what, Why: err.Error(), Err: err, Hint: "use sudo"}
	default:
		return &iox.Error{Exit: iox.Internal, What: what, Why: err.Error(), Err: err, Hint: "see why: sudo journalctl -u cvland -n 30"}
	}
}

func newServiceInstall(env *Env) *cobra.Command {
	var program string
	var out iox.Output
	c := &cobra.Command{
		Use: "install", Short: "Make the daemon a service, and start it",
		Long: "install writes /etc/systemd/system/cvland.service and starts the service, now and at every boot. It may be repeated; a service that a package " +
			"has installed it leaves alone. Settings belong into /etc/cvlan/cvland.toml.",
		Example: "  sudo cvlan service install\n  sudo cvlan service install --program /opt/cvlan/cvland",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := daemonProgram(program)
			if err != nil {
				return err
			}
			m, err := env.services()
			if err != nil {
				return err
			}
			if svc.Hidden(path) {
				return &iox.Error{Exit: iox.Invalid, What: "install the service", Why: path + " is in somebody's home, which the service does not see",
					Hint: "copy the programs: sudo install " + path + " " + filepath.Join(filepath.Dir(path), "cvlan") + " /usr/local/bin/, then sudo cvlan service install"}
			}
			p := env.progress(c.Context(), "starting the service")
			err = m.Install(c.Context(), path)
			p.stop()
			if err != nil {
				return serviceFault("install the service", err)
			}
			return env.tellService(c, out, m, func() {
				env.IO.Printf("cvland is a service now, and runs")
				env.IO.Notef("Join a network: sudo cvlan up --key-file FILE")
			})
		},
	}
	outputFlags(c, &out)
	c.Flags().StringVar(&program, "program", "", "where cvland is (default beside cvlan, else on the path)")
	return c
}

// daemonProgram finds cvland: where it was said, beside this program, or on the path.
func daemonProgram(named string) (string, error) {
	tried := []string{named}
	if named == "" {
		tried = nil
		if self, err := os.Executable(); err == nil {
			tried = append(tried, filepath.Join(filepath.Dir(self), "cvland"))
		}
		if path, err := exec.LookPath("cvland"); err == nil {
			tried = append(tried, path)
		}
	}
	for _, path := range tried {
		path, err := filepath.Abs(path)
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", &iox.Error{Exit: iox.NotFound, What: "find the program cvland", Why: "it is not at " + strings.Join(append(tried, "any place on the path"), ", "), Hint: "say where it is: --program PATH"}
}

func newServiceUninstall(env *Env) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "uninstall", Short: "Stop the service, and take it away",
		Long: "uninstall stops the daemon and removes what install has written. Keys and memberships stay in /var/lib/cvlan: a daemon that is " +
			"started later is in the same networks. It may be repeated.",
		Example: "  sudo cvlan service uninstall\n  sudo cvlan service uninstall && sudo rm -r /var/lib/cvlan",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := env.services()
			if err != nil {
				return err
			}
			p := env.progress(c.Context(), "stopping the service")
			err = m.Uninstall(c.Context())
			p.stop()
			if err != nil {
				return serviceFault("uninstall the service", err)
			}
			return env.tellService(c, out, m, func() {
				env.IO.Printf("cvland is no service any more; its keys and memberships are in /var/lib/cvlan")
			})
		},
	}
	outputFlags(c, &out)
	return c
}

// tellService shows how the service is.
func (e *Env) tellService(c *cobra.Command, out iox.Output, m *svc.Manager, human func()) error {
	s, err := m.State(c.Context())
	if err != nil {
		return serviceFault("ask the service manager", err)
	}
	return out.Write(e.IO, document{s}, human)
}

func newServiceStatus(env *Env) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "status", Short: "Show how the service is",
		Long:    "status says whether cvland is a service, whether it starts at boot, and whether it runs. It ends with exit code 12 if it does not run.",
		Example: "  cvlan service status\n  cvlan service status --template '{{.active}}'",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := env.services()
			if err != nil {
				return err
			}
			s, err := m.State(c.Context())
			if err != nil {
				return serviceFault("ask the service manager", err)
			}
			if err := out.Write(env.IO, document{s}, func() { env.printService(&s) }); err != nil || s.Active == "active" {
				return err
			}
			return &iox.Error{Exit: iox.Degraded, What: "the service does not run", Err: errShown}
		},
	}
	outputFlags(c, &out, "active")
	return c
}

func (e *Env) printService(s *svc.State) {
	if s.Unit == "" {
		e.IO.Printf("cvland is no service of this machine. Make it one: sudo cvlan service install")
		return
	}
	t := iox.Table{}
	style := iox.Red
	if s.Active == "active" {
		style = iox.Green
	}
	state := s.Active
	if s.Active == "activating" || s.Active == "failed" {
		state += ": it does not stay up; see why: sudo journalctl -u cvland -n 30"
	}
	if !s.Since.IsZero() {
		state += ", since " + iox.Ago(e.Now(), s.Since)
	}
	boot := "no; change that: sudo systemctl enable cvland"
	if s.Enabled {
		boot = "yes"
	}
	unit := s.Unit
	if !s.Ours {
		unit += " (not written by cvlan)"
	}
	t.Row("cvland", iox.Cell(style, state))
	t.Row("starts at boot", boot)
	t.Row("process", s.PID)
	t.Row("unit", unit)
	t.Print(e.IO)
}
