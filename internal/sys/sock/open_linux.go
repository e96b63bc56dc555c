package sock

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// Open opens a socket on all addresses of this machine, of both families if the kernel has IPv6.
func Open(c Config) (Socket, error) {
	u, err := open(c, unix.Socket)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// open tries IPv6, which carries IPv4 as well, and then IPv4 by itself.
func open(c Config, socket func(family, kind, protocol int) (int, error)) (*udp, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, family := range []int{unix.AF_INET6, unix.AF_INET} {
		fd, err := socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if errors.Is(err, unix.EAFNOSUPPORT) && family == unix.AF_INET6 {
			continue
		}
		if err != nil {
			return nil, c.failed(os.NewSyscallError("socket", err))
		}
		u := &udp{only4: family == unix.AF_INET, sendmmsg: sendmmsg, recvmmsg: recvmmsg}
		if err := u.bind(fd, c); err != nil {
			unix.Close(fd)
			return nil, c.failed(err)
		}
		return u, u.hand(fd)
	}
	return nil, c.failed(errors.New("the kernel has neither IPv6 nor IPv4"))
}

// hand gives the descriptor to the runtime's poller.
func (u *udp) hand(fd int) (err error) {
	u.in.prepare(u)
	u.file = os.NewFile(uintptr(fd), "udp")
	u.raw, err = u.file.SyscallConn()
	return err
}

// udp is a Socket of Linux.
type udp struct {
	only4 bool // the kernel has no IPv6
	port  uint16

	file   *os.File // keeps the descriptor in the runtime's poller
	raw    syscall.RawConn
	closed atomic.Bool

	in    incoming
	spare spare

	gso, gro                  atomic.Bool
	receiveBuffer, sendBuffer int
	overflow                  atomic.Uint64 // as it was last looked at
	counters

	sendmmsg, recvmmsg call // fields, so that tests can play the kernel
}

// bind sets the options up and takes the port.
func (u *udp) bind(fd int, c Config) error {
	mark.Set(uintptr(fd))
	if err := u.set(fd, c.Shared); err != nil {
		return err
	}
	force(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, c.bytes())
	force(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, c.bytes())
	u.receiveBuffer, u.sendBuffer = bufferSizes(uintptr(fd))
	_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	u.gso.Store(err == nil)
	if !c.Alone {
		u.join(uintptr(fd))
	}
	return u.listen(fd, int(c.Port))
}

// Join implements Joiner.
func (u *udp) Join() { _ = u.raw.Control(u.join) } // it fails when the socket is closed

func (u *udp) join(fd uintptr) {
	u.gro.Store(unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil)
}

// set switches on what the socket cannot do without.
func (u *udp) set(fd int, shared bool) error {
	if shared {
		if err := share(fd); err != nil {
			return err
		}
	}
	if u.only4 {
		return os.NewSyscallError("setsockopt IP_PKTINFO", unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
		return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
	}
	return os.NewSyscallError("setsockopt IPV6_RECVPKTINFO", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
}

func share(fd int) error {
	return os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// force sets a buffer to n bytes, whatever the system's limit is; without the right to, to the limit.
func force(fd, must, may, n int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, must, n) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, may, n) // any size works
	}
}

// listen takes the port, on all addresses.
func (u *udp) listen(fd, port int) error {
	var all unix.Sockaddr = &unix.SockaddrInet6{Port: port}
	if u.only4 {
		all = &unix.SockaddrInet4{Port: port}
	}
	if err := unix.Bind(fd, all); err != nil {
		return os.NewSyscallError("bind", err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch at := at.(type) {
	case *unix.SockaddrInet6:
		u.port = uint16(at.Port)
	case *unix.SockaddrInet4:
		u.port = uint16(at.Port)
	default:
		return fmt.Errorf("getsockname: %T", at)
	}
	return nil
}
