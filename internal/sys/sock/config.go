package sock

import (
	"errors"
	"fmt"
	"io/fs"
)

var errNotShared = errors.New("this system cannot share a port among sockets")

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
		return fmt.Errorf("open UDP port %d: %w; `ss -ulpn` shows which program has it; stop that, or choose another port", c.Port, ErrPortTaken)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open UDP port %d: %w; choose a port from 1024 on, or run with the right to open it", c.Port, err)
	}
	return fmt.Errorf("open UDP port %d: %w", c.Port, err)
}
