package cli

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// release starts a program without this console: what ends it does not end the program.
func release(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS}
}
