//go:build !windows

package sock

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const errTaken = unix.EADDRINUSE

func reasonOfErrno(e syscall.Errno) reason {
	switch e {
	case unix.ENOBUFS, unix.ENOMEM, unix.EAGAIN:
		return noBuffer
	case unix.EMSGSIZE:
		return tooBig
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.ENETDOWN, unix.EHOSTDOWN, unix.ENODEV, unix.ENXIO:
		return unreachable
	}
	return refused
}

// truncated reports whether a datagram was larger than the buffer.
func truncated(flags int, err error) bool { return err == nil && flags&unix.MSG_TRUNC != 0 }

// stray reports whether the error of a receive tells of a datagram that was sent.
func stray(error) bool { return false }

// bufferSizes asks the system, in bytes.
func bufferSizes(fd uintptr) (receive, send int) {
	receive, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	send, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	return receive, send
}
