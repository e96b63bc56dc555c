package sock

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

const errTaken = windows.WSAEADDRINUSE

func reasonOfErrno(e syscall.Errno) reason {
	switch e {
	case windows.WSAENOBUFS, windows.WSAEWOULDBLOCK, syscall.ENOBUFS:
		return noBuffer
	case windows.WSAEMSGSIZE, syscall.EMSGSIZE:
		return tooBig
	case windows.WSAENETUNREACH, windows.WSAEHOSTUNREACH, windows.WSAEADDRNOTAVAIL, windows.WSAEAFNOSUPPORT, windows.WSAENETDOWN, windows.WSAEHOSTDOWN,
		syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT:
		return unreachable
	}
	return refused
}

// truncated reports whether a datagram was larger than the buffer.
func truncated(_ int, err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }

// stray reports whether the error of a receive tells of a datagram that was sent: Windows reports ICMP's "port unreachable" and "time
// exceeded" so.
func stray(err error) bool {
	return errors.Is(err, windows.WSAECONNRESET) || errors.Is(err, windows.WSAENETRESET)
}

// bufferSizes asks the system, in bytes.
func bufferSizes(fd uintptr) (receive, send int) {
	receive, _ = windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_RCVBUF)
	send, _ = windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_SNDBUF)
	return receive, send
}
