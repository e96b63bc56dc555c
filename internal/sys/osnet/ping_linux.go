package osnet

import (
	"syscall"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// aim makes a raw ICMP socket use one interface, unless that is "", and hear echo replies only. The filters are a saving: without them we would
// merely read, and ignore, the host's other ICMP traffic.
func aim(iface string, six bool) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			if iface != "" {
				err = unix.BindToDevice(int(fd), iface)
			}
			if six {
				var f unix.ICMPv6Filter
				for i := range f.Data {
					f.Data[i] = ^uint32(0)
				}
				f.Data[ipv6.ICMPTypeEchoReply>>5] &^= 1 << (ipv6.ICMPTypeEchoReply & 31)
				unix.SetsockoptICMPv6Filter(int(fd), unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &f)
			} else {
				const icmpFilter, allButEchoReply = 1, ^1 // linux/icmp.h: a set bit blocks a type; echo reply is type 0
				unix.SetsockoptInt(int(fd), unix.SOL_RAW, icmpFilter, allButEchoReply)
			}
		}); e != nil {
			return e
		}
		return err
	}
}
