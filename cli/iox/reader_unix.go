//go:build !windows

package iox

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// HoldReader watches until free is called whether anybody reads the output, for commands that may have nothing to write for hours. When the
// reader of a pipe has gone it writes into it, which ends the program as a write of the command's own would: by SIGPIPE, or where somebody has
// that ignored, as a result that was lost.
func (o *IO) HoldReader() (free func()) {
	_, out := o.Direct()
	f, ok := out.(*os.File)
	if !ok {
		return func() {}
	}
	if s, err := f.Stat(); err != nil || s.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return func() {}
	}
	wake, end, err := os.Pipe()
	if err != nil {
		return func() {} // the next write tells
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if gone(f, wake) {
			_, _ = o.Out.Write([]byte{'\n'}) // nobody is there to read it
		}
	}()
	return func() {
		end.Close()
		<-done
		wake.Close()
	}
}

// gone waits until out has no reader, and reports that; or until wake is closed at its other end.
func gone(out, wake *os.File) bool {
	// Errors and hang-ups are told without being asked for.
	fds := []unix.PollFd{{Fd: int32(out.Fd())}, {Fd: int32(wake.Fd())}}
	for {
		_, err := unix.Poll(fds, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
		if err == nil && fds[1].Revents != 0 {
			return false
		}
		if err == nil && fds[0].Revents != 0 {
			return true
		}
	}
}
