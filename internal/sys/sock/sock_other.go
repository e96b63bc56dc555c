//go:build !linux

package sock

import (
	"errors"
	"fmt"
	"net/netip"
)

// Open opens a socket on all addresses of this machine, of both families.
func Open(c Config) (Socket, error) { return openPlain(c) }

// OpenGroup opens at most n sockets on one port for as many workers. Only Linux can spread what comes over several: here there is one.
func OpenGroup(c Config, n int) ([]Socket, error) {
	if n < 1 {
		return nil, fmt.Errorf("open UDP port %d: a group of %d sockets", c.Port, n)
	}
	c.Shared = false
	s, err := Open(c)
	if err != nil {
		return nil, err
	}
	return []Socket{s}, nil
}

// PathMTU tells the largest IP packet that the system knows to pass to remote, in bytes. It is known on Linux only:
// errors.ErrUnsupported.
func PathMTU(remote netip.Addr) (int, error) {
	return 0, fmt.Errorf("path MTU to %s: %w", remote, errors.ErrUnsupported)
}
