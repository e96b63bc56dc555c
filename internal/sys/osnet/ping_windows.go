package osnet

import (
	"math/bits"
	"net"
	"syscall"

	"golang.org/x/sys/windows"
)

// unicastIF is IP_UNICAST_IF and IPV6_UNICAST_IF of ws2ipdef.h.
const unicastIF = 31

// aim makes a raw ICMP socket use one interface. For IPv4 the system wants its number in network byte order.
func aim(iface string, six bool) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			return err
		}
		level, index := windows.IPPROTO_IP, int(bits.ReverseBytes32(uint32(i.Index)))
		if six {
			level, index = windows.IPPROTO_IPV6, i.Index
		}
		if e := c.Control(func(fd uintptr) {
			err = windows.SetsockoptInt(windows.Handle(fd), level, unicastIF, index)
		}); e != nil {
			return e
		}
		return err
	}
}
