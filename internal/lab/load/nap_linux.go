package load

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps to some 50 µs, where time.Sleep counts in milliseconds; not at all if there is no time left. A
// signal may end it early.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil)
}

// enlarge makes a socket's receive buffer so many bytes, beyond the system's limit if we are root.
func enlarge(c *net.UDPConn, bytes int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	var refused error
	err = raw.Control(func(fd uintptr) { refused = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) })
	if err != nil || refused != nil {
		_ = c.SetReadBuffer(bytes) // as much as there is
	}
}
