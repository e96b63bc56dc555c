package desk

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

const (
	runKey   = `Software\Microsoft\Windows\CurrentVersion\Run`
	runValue = "CloudVLAN"
)

func detach(*exec.Cmd) {}

// hide keeps a program without a window from opening one.
func hide(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW} }

// Terminal opens the interface for terminals in a console of its own.
func (d *Desk) Terminal() error {
	command, err := d.command()
	if err != nil {
		return err
	}
	c := exec.Command(command[0], command[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_CONSOLE}
	if err := c.Start(); err != nil {
		return fmt.Errorf("open a console: %w", err)
	}
	go func() { _ = c.Wait() }()
	return nil
}

// SetAutostart writes or removes this user's entry.
func (d *Desk) SetAutostart(on bool) error {
	k, _, err := registry.CreateKey(registry.CURRENT_USER, runKey, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("autostart: %w", err)
	}
	defer k.Close()
	if on {
		quoted := make([]string, 0, 4)
		for _, a := range d.arguments() {
			quoted = append(quoted, syscall.EscapeArg(a))
		}
		err = k.SetStringValue(runValue, strings.Join(quoted, " "))
	} else if err = k.DeleteValue(runValue); errors.Is(err, registry.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("autostart: %w", err)
	}
	return nil
}

// Autostart reports whether the tray starts when this user logs in.
func (d *Desk) Autostart() bool {
	k, err := registry.OpenKey(registry.CURRENT_USER, runKey, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer k.Close()
	_, _, err = k.GetStringValue(runValue)
	return err == nil
}
