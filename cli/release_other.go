//go:build !windows

package cli

import (
	"os/exec"
	"syscall"
)

// release puts a program into a session of its own: what ends this terminal does not end it.
func release(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
