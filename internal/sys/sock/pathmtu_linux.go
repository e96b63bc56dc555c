package sock

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// PathMTU tells the largest IP packet that the kernel knows to pass to remote, in bytes: the interface's MTU, or less where a router has
// said so.
func PathMTU(remote netip.Addr) (int, error) {
	if !remote.IsValid() {
		return 0, errors.New("path MTU: no address")
	}
	remote = remote.Unmap()
	mtu, err := pathMTU(remote)
	if err != nil {
		return 0, fmt.Errorf("path MTU to %s: %w", remote, err)
	}
	return mtu, nil
}

func pathMTU(remote netip.Addr) (int, error) {
	family, level, option := unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MTU
	var to unix.Sockaddr = &unix.SockaddrInet6{Addr: remote.As16(), Port: 9}
	if remote.Is4() {
		family, level, option = unix.AF_INET, unix.IPPROTO_IP, unix.IP_MTU
		to = &unix.SockaddrInet4{Addr: remote.As4(), Port: 9}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	mark.Set(uintptr(fd))
	if err := unix.Connect(fd, to); err != nil { // nothing is sent
		return 0, os.NewSyscallError("connect", err)
	}
	mtu, err := unix.GetsockoptInt(fd, level, option)
	return mtu, os.NewSyscallError("getsockopt", err)
}
