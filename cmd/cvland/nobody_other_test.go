//go:build !linux

package main

import "os/exec"

func asNobody(bin string, args ...string) *exec.Cmd { return exec.Command(bin, args...) }
