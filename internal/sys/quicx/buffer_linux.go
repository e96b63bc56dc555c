package quicx

import (
	"net"

	"golang.org/x/sys/unix"
)

// forceBuffers goes beyond net.core.{r,w}mem_max; it needs CAP_NET_ADMIN, and without it nothing happens.
func forceBuffers(u *net.UDPConn, size int) {
	if b := buffersOf(u); b.Read >= size && b.Write >= size {
		return
	}
	rc, err := u.SyscallConn()
	if err != nil {
		return
	}
	rc.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size)
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, size)
	})
}

func buffersOf(u *net.UDPConn) (b Buffers) {
	rc, err := u.SyscallConn()
	if err != nil {
		return b
	}
	rc.Control(func(fd uintptr) {
		b.Read, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
		b.Write, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	return b
}
