// Package desk does for the tray what the person's desktop offers besides its panel: the clipboard, a window with a terminal, and
// starting programs at login. No command line passes a shell, and nothing that came from the network is ever a part of one.
package desk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Desk is the desktop of the user who runs this program. Its zero value is not usable.
type Desk struct {
	exe    string // this program
	socket string // of the daemon, if it is not the usual one
	getenv func(string) string
	owner  clipboard
	logins logins
}

// New returns the desktop of the process's user. The socket is passed on to programs that the tray starts; "": the usual one.
func New(socket string) (*Desk, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	return &Desk{exe: exe, socket: socket, getenv: os.Getenv}, nil
}

// errNoTool is why nothing was started: none of several programs is installed.
var errNoTool = errors.New("none is installed")

// program finds cvlan, which does what the tray does not.
func (d *Desk) program(what string) (string, error) {
	name := "cvlan"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(filepath.Dir(d.exe), name)
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath(name); err != nil {
			return "", fmt.Errorf("%s: the program %s is neither beside %s nor in PATH; install it there", what, name, filepath.Base(d.exe))
		}
	}
	return path, nil
}

// command returns cvlan and the arguments that open its interface for terminals.
func (d *Desk) command() ([]string, error) {
	path, err := d.program("open the interface for terminals")
	if err != nil {
		return nil, err
	}
	argv := []string{path, "tui"}
	if d.socket != "" {
		argv = append(argv, "--socket", d.socket)
	}
	return argv, nil
}

// arguments are those of this program when it starts at login: a panel may come after it.
func (d *Desk) arguments() []string {
	argv := []string{d.exe, "--wait", "2m"}
	if d.socket != "" {
		argv = append(argv, "--socket", d.socket)
	}
	return argv
}

// launch starts a program that outlives the click, and forgets it. It is waited for, so that no zombie stays.
func launch(argv []string) error {
	c := exec.Command(argv[0], argv[1:]...)
	detach(c)
	if err := c.Start(); err != nil {
		return err
	}
	go func() { _ = c.Wait() }()
	return nil
}
