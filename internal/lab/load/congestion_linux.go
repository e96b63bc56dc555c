package load

import (
	"net"

	"golang.org/x/sys/unix"
)

// congestion is what nearly every Linux has, whatever this machine's administrator prefers: a result is to say something of other machines too.
const congestion = "cubic"

// usual has a connection control congestion as most do. Where the kernel does not have it, or refuses, it stays as it is.
func usual(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
	})
}
