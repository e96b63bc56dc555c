package main

import (
	"os/exec"
	"syscall"
)

// asNobody is a command that another user runs.
func asNobody(bin string, args ...string) *exec.Cmd {
	c := exec.Command(bin, args...)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return c
}
