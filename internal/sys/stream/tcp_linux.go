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

// unheard returns how long the peer's system has sent nothing, answers to keepalives included; false: it cannot be told.
func unheard(c net.Conn) (age time.Duration, ok bool) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	rc, err := t.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info *unix.TCPInfo
	if rc.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }) != nil || err != nil {
		return 0, false
	}
	return time.Duration(info.Last_ack_recv) * time.Millisecond, true
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
