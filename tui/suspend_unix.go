//go:build unix

package tui

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// hearStops has the wish of a system or of a person that the program stop for a while (SIGTSTP) told to a channel, until the function that
// it returns is called. The signal then stops nothing by itself, so that the terminal can be given back first.
func hearStops(to chan os.Signal) (leave func()) {
	signal.Notify(to, syscall.SIGTSTP)
	return func() { signal.Stop(to) }
}

// stoppable reports whether there is a shell that could have the program go on. Nobody would, where the first program of a session and its
// group are all there is (POSIX: an orphaned process group).
func stoppable() bool {
	own, err := unix.Getsid(0)
	of, err2 := unix.Getsid(os.Getppid())
	return err == nil && err2 == nil && own == of && unix.Getpgrp() != own
}

// halt stops the program and its group until a shell has them go on. Of several threads the one that asks may run on for a moment, hence it waits.
func halt() {
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, syscall.SIGCONT)
	defer signal.Stop(goOn)
	if unix.Kill(0, unix.SIGSTOP) == nil {
		<-goOn
	}
}
