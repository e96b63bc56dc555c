package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli/iox"
)

// trayOptions are those of cvlan tray.
type trayOptions struct {
	*Env
	autostart string
	wait      time.Duration
}

func newTray(env *Env) *cobra.Command {
	o := &trayOptions{Env: env}
	c := &cobra.Command{
		Use:   "tray",
		Short: "Show an icon with a menu in the desktop's panel",
		Long: "tray starts the program cvlan-tray, which is installed beside cvlan, and returns when its icon stands in the panel. The icon stays " +
			"until Quit is chosen in its menu. With --autostart it says instead whether the icon comes by itself whenever you log in.",
		Example: "  cvlan tray\n  cvlan tray --autostart on",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	c.Flags().StringVar(&o.autostart, "autostart", "", "on, off: whether the icon comes when you log in; show: say which")
	c.Flags().DurationVar(&o.wait, "wait", 10*time.Second, "how long to wait for the desktop's panel")
	return c
}

func (o *trayOptions) run(c *cobra.Command) error {
	path, err := trayProgram()
	if err != nil {
		return err
	}
	args := []string{"--wait", o.wait.String()}
	if s, _ := c.Flags().GetString("socket"); s != "" {
		args = append(args, "--socket", s)
	}
	if o.autostart != "" {
		p := exec.CommandContext(c.Context(), path, append(args, "--autostart", o.autostart)...)
		_, p.Stdout = o.IO.Direct()
		p.Stderr = o.IO.Err
		return o.ended(p.Run())
	}
	p := exec.Command(path, args...)
	p.Stderr = o.IO.Err
	release(p)
	said, err := p.StdoutPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		return &iox.Error{Exit: iox.Internal, What: "start cvlan-tray", Why: err.Error(), Err: err}
	}
	if line := bufio.NewScanner(said); line.Scan() { // its icon stands
		o.IO.Notef("%s", line.Text())
		return nil
	}
	return o.ended(p.Wait())
}

// ended says how the other program went: it has told the person itself.
func (o *trayOptions) ended(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &iox.Error{Exit: iox.Exit(exit.ExitCode()), What: "cvlan-tray", Err: fmt.Errorf("%w: %w", errShown, err)}
	}
	return &iox.Error{Exit: iox.Internal, What: "start cvlan-tray", Why: err.Error(), Err: err}
}

// trayProgram finds cvlan-tray: beside this program, else where programs are.
func trayProgram() (string, error) {
	name := "cvlan-tray"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if own, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(own), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &iox.Error{Exit: iox.NotFound, What: "start cvlan-tray", Why: "it is neither beside cvlan nor in PATH", Hint: "it is a program of its own: install it, or use cvlan tui", Err: err}
	}
	return path, nil
}
