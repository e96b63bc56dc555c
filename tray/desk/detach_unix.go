//go:build !windows

package desk

import (
	"os/exec"
	"syscall"
)

// detach puts a program into a session of its own: the end of the tray is not its end.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// hide keeps a program without a window from opening one.
func hide(*exec.Cmd) {}
