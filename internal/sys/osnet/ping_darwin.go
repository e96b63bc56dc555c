package osnet

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// aim makes a raw ICMP socket use one interface.
func aim(iface string, six bool) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		if e := c.Control(func(fd uintptr) {
			if six {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_BOUND_IF, i.Index)
			} else {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BOUND_IF, i.Index)
			}
		}); e != nil {
			return e
		}
		return err
	}
}
