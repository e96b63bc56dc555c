package localapi

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf reads LOCAL_PEERCRED, whose groups include the primary one first.
func peerOf(c *net.UnixConn) (who caller, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return who, err
	}
	control := raw.Control(func(fd uintptr) {
		var cred *unix.Xucred
		if cred, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err != nil {
			return
		}
		n := min(max(int(cred.Ngroups), 0), len(cred.Groups))
		who = caller{uid: cred.Uid, groups: append([]uint32(nil), cred.Groups[:n]...), known: true}
	})
	if err == nil {
		err = control
	}
	return who, err
}
