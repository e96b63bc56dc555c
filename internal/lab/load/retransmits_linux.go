package load

import (
	"net"

	"golang.org/x/sys/unix"
)

// retransmits adds up how many segments were sent again on open connections; -1 if the kernel does not say.
func retransmits(conns []*net.TCPConn) (total int64) {
	for _, c := range conns {
		raw, err := c.SyscallConn()
		if err != nil {
			return -1
		}
		var info *unix.TCPInfo
		var refused error
		err = raw.Control(func(fd uintptr) { info, refused = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
		if err != nil || refused != nil {
			return -1
		}
		total += int64(info.Total_retrans)
	}
	return total
}
