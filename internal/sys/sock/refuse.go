package sock

import (
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"syscall"
)

// reason is why a datagram was not sent.
type reason uint8

const (
	refused reason = iota // none of the others
	noBuffer
	tooBig
	unreachable
	reasons // how many there are
)

// counters count datagrams that came to nothing.
type counters struct {
	unsent    [reasons]atomic.Uint64
	truncated atomic.Uint64
}

// refuse counts n datagrams that were not sent.
func (c *counters) refuse(why reason, n int) { c.unsent[why].Add(uint64(n)) }

// fill writes the counters into s.
func (c *counters) fill(s *Stats) {
	s.NoBuffer, s.TooBig = c.unsent[noBuffer].Load(), c.unsent[tooBig].Load()
	s.Unreachable, s.Refused = c.unsent[unreachable].Load(), c.unsent[refused].Load()
	s.Truncated = c.truncated.Load()
}

// reasonOf finds the reason in the error of a call.
func reasonOf(err error) reason {
	var e syscall.Errno
	if errors.As(err, &e) {
		return reasonOfErrno(e)
	}
	return refused
}

// check refuses what no system takes.
func (c *Config) check() error {
	if c.Buffer < 0 || c.Buffer > 1<<30 {
		return fmt.Errorf("open UDP port %d: a buffer of %d bytes; it may have 0 (the usual) to %d", c.Port, c.Buffer, 1<<30)
	}
	return nil
}

// bytes is the size of a buffer.
func (c *Config) bytes() int {
	if c.Buffer == 0 {
		return DefaultBuffer
	}
	return c.Buffer
}

// failed says why the port could not be opened, and what to do.
func (c *Config) failed(err error) error {
	switch {
	case errors.Is(err, errTaken):
		return fmt.Errorf("open UDP port %d: %w; stop the program that has it, or choose another port (0: any)", c.Port, ErrPortTaken)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open UDP port %d: %w; choose a port from 1024 on, or run with the right to open it", c.Port, err)
	}
	return fmt.Errorf("open UDP port %d: %w", c.Port, err)
}
