package localapi

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

func peerOf(c *net.UnixConn) (who caller, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return who, err
	}
	control := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		who = caller{uid: cred.Uid, groups: []uint32{cred.Gid}, known: true}
		// Kernels before 4.13 have no SO_PEERGROUPS: then only the primary group counts.
		more, _ := peerGroups(int(fd))
		who.groups = append(who.groups, more...)
	})
	if err == nil {
		err = control
	}
	return who, err
}

// maxGroups is more than Linux allows a process to have (NGROUPS_MAX, 65536).
const maxGroups = 1 << 17

// peerGroups reads the supplementary groups of the process that connected; the kernel answers ERANGE and the length it needs
// while the buffer is too small.
func peerGroups(fd int) ([]uint32, error) {
	b := make([]uint32, 64)
	for {
		n := uint32(len(b) * 4)
		_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS, uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
		switch {
		case e == 0:
			return b[:n/4], nil
		case e == unix.ERANGE && int(n/4) > len(b) && n/4 <= maxGroups:
			b = make([]uint32, n/4)
		default:
			return nil, e
		}
	}
}
