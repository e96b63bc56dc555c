package svc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrUnavailable is what Find says where there is no service manager that this package knows.
var ErrUnavailable = errors.New("systemd does not run this machine")

// ErrForeign is what Install and Uninstall say of a unit that a package or a person has put there.
var ErrForeign = errors.New("the unit is not one of ours")

// Manager is a service manager. Tests make one of a folder and a Run that does what they want.
type Manager struct {
	Dir string // where units of this machine's administrator are
	// Run runs systemctl and returns what it prints.
	Run func(ctx context.Context, args ...string) (string, error)
	// Cleanup has the service's program take back what it may have left on the host when it was killed; nil: nobody does.
	Cleanup func(ctx context.Context, program string) error
}

// State is how the service is.
type State struct {
	Unit    string    `json:"unit"` // the file; "": there is no such service
	Ours    bool      `json:"ours"` // Install has written it
	Enabled bool      `json:"enabled"`
	Active  string    `json:"active"` // systemd's word: active, inactive, failed …
	Since   time.Time `json:"since,omitzero"`
	PID     string    `json:"pid,omitempty"`
}

// patience bounds each call of systemctl.
const patience = 90 * time.Second

// Find returns the system's service manager.
func Find() (*Manager, error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil || os.Getenv("SYSTEMD_OFFLINE") == "1" {
		return nil, ErrUnavailable
	}
	if comm, err := os.ReadFile("/proc/1/comm"); err == nil && strings.TrimSpace(string(comm)) != "systemd" {
		return nil, ErrUnavailable // a container with the folders of one
	}
	return &Manager{Dir: "/etc/systemd/system", Run: systemctl, Cleanup: cleanup}, nil
}

func cleanup(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	said, err := exec.CommandContext(ctx, program, "--cleanup").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --cleanup: %w: %.300s", program, err, bytes.TrimSpace(said))
	}
	return nil
}

func systemctl(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, "systemctl", args...)
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("systemctl %s: %w: %.300s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return out.String(), nil
}

func (m *Manager) path() string { return filepath.Join(m.Dir, Name+".service") }

// mark begins a unit that Install has written.
const mark = "# Written by cvlan service install. Changes belong into: systemctl edit cvland\n"

// Install writes the unit for the program and starts the service, now and at every boot. Its own unit it replaces, and restarts what runs only if
// that changed; one of somebody else stays, and is ErrForeign.
func (m *Manager) Install(ctx context.Context, program string) error {
	was, err := os.ReadFile(m.path())
	switch {
	case err == nil && !strings.HasPrefix(string(was), mark):
		return fmt.Errorf("%s: %w", m.path(), ErrForeign)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	text := mark + Unit(program)
	if string(was) != text {
		if err := replace(m.path(), text); err != nil {
			return err
		}
		if _, err := m.Run(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	if _, err := m.Run(ctx, "enable", "--now", Name+".service"); err != nil {
		return err
	}
	if was != nil && string(was) != text {
		_, err = m.Run(ctx, "try-restart", Name+".service")
		return err
	}
	return nil
}

// replace writes a file whole or not at all.
func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".cvland-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Uninstall stops the service, takes its unit away, and then what a daemon that was killed, and not started again, has left on the host. The daemon's state stays.
// What is not there is no error.
func (m *Manager) Uninstall(ctx context.Context) error {
	was, err := os.ReadFile(m.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !strings.HasPrefix(string(was), mark):
		return fmt.Errorf("%s: %w", m.path(), ErrForeign)
	}
	if _, err := m.Run(ctx, "disable", "--now", Name+".service"); err != nil {
		return err
	}
	if err := os.Remove(m.path()); err != nil {
		return err
	}
	_, err = m.Run(ctx, "daemon-reload")
	program := programOf(string(was))
	if _, gone := os.Stat(program); m.Cleanup == nil || gone != nil {
		return err
	}
	return errors.Join(err, m.Cleanup(ctx, program))
}

// State asks how the service is.
func (m *Manager) State(ctx context.Context) (State, error) {
	said, err := m.Run(ctx, "show", Name+".service", "--property=LoadState,FragmentPath,UnitFileState,ActiveState,ActiveEnterTimestamp,MainPID", "--timestamp=unix")
	if err != nil {
		return State{}, err
	}
	p := map[string]string{}
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		p[name] = value
	}
	if p["LoadState"] != "loaded" {
		return State{}, nil
	}
	s := State{Unit: p["FragmentPath"], Enabled: p["UnitFileState"] == "enabled", Active: p["ActiveState"]}
	text, err := os.ReadFile(s.Unit)
	s.Ours = err == nil && strings.HasPrefix(string(text), mark)
	var at int64
	if _, err := fmt.Sscanf(p["ActiveEnterTimestamp"], "@%d", &at); err == nil && at > 0 && s.Active == "active" {
		s.Since = time.Unix(at, 0)
	}
	if p["MainPID"] != "0" {
		s.PID = p["MainPID"]
	}
	return s, nil
}
