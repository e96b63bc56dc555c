//go:build !windows && !darwin

package desk

import (
	"fmt"
	"os/exec"
)

// terminals are the programs that open a window with a terminal, in the order in which they are tried, each with what
// stands before the command.
var terminals = []struct {
	name string
	flag []string
}{
	{"xdg-terminal-exec", nil},
	{"x-terminal-emulator", []string{"-e"}},
	{"gnome-terminal", []string{"--"}},
	{"ptyxis", []string{"--"}},
	{"kgx", []string{"--"}},
	{"konsole", []string{"-e"}},
	{"xfce4-terminal", []string{"-x"}},
	{"mate-terminal", []string{"-x"}},
	{"kitty", nil},
	{"alacritty", []string{"-e"}},
	{"foot", nil},
	{"wezterm", []string{"start", "--"}},
	{"xterm", []string{"-e"}},
}

// Terminal opens the interface for terminals in a window: with $TERMINAL, which takes -e, or what is installed.
func (d *Desk) Terminal() error {
	command, err := d.command()
	if err != nil {
		return err
	}
	if own := d.getenv("TERMINAL"); own != "" {
		if path, err := exec.LookPath(own); err == nil {
			return started(launch(append([]string{path, "-e"}, command...)))
		}
	}
	for _, t := range terminals {
		if path, err := exec.LookPath(t.name); err == nil {
			return started(launch(append(append([]string{path}, t.flag...), command...)))
		}
	}
	return fmt.Errorf("open a window with a terminal: %w; set TERMINAL to one that takes -e", errNoTool)
}

func started(err error) error {
	if err != nil {
		return fmt.Errorf("open a window with a terminal: %w", err)
	}
	return nil
}
