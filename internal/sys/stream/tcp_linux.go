package stream

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func setUserTimeout(c *net.TCPConn, d time.Duration) {
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	rc.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}

// leastSegment, in bytes, is what TCP can send over IPv6 wherever IPv6 passes (1280 without headers and timestamps).
const leastSegment = 1208

// shorten has a connection about to be made send segments, and ask for such, that pass every path: one that drops longer ones without a word
// would else let the connection begin and then stand still.
func shorten(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, leastSegment) // whatever the kernel says
	})
}
