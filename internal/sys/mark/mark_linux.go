package mark

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Set marks a socket. Without the right to (CAP_NET_ADMIN) it does nothing: who has it not cannot send other traffic through an exit either.
func Set(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, Value) }

// Control is what goes into net.Dialer and net.ListenConfig.
func Control(_, _ string, c syscall.RawConn) error { return c.Control(Set) }
