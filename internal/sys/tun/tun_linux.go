package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	clonePath = "/dev/net/tun"
	firstFree = "cvlan%d" // the kernel itself fills in the first number that is free
)

// checkName applies the kernel's rules, so that its bare "invalid argument" never has to be explained.
func checkName(name string) error {
	switch {
	case len(name) >= unix.IFNAMSIZ:
		return fmt.Errorf("%w: %.40q has %d characters, at most %d are possible", ErrName, name, len(name), unix.IFNAMSIZ-1)
	case name == "." || name == "..", strings.ContainsAny(name, "/:%"), strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fmt.Errorf("%w: %q; use letters, digits and hyphens", ErrName, name)
	}
	return nil
}

// flags of every device: IP packets without another header than virtio's.
const flags = unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR

// claim opens a way to an interface and returns its name. Whoever makes the interface asks for one that nobody has (IFF_TUN_EXCL):
// without that the kernel would attach us to a persistent device of somebody else.
func claim(name string, more uint16) (*os.File, string, error) {
	fd, err := unix.Open(clonePath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", &os.PathError{Op: "open", Path: clonePath, Err: err}
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(flags | more)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, "", err
	}
	return os.NewFile(uintptr(fd), clonePath), req.Name(), nil // a poller takes it only now that it has an interface
}

// explain says what a person can do about the kernel's answer.
func explain(name string, err error) error {
	var path *os.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: no %s; try modprobe tun, and in a container pass --device %s", ErrUnavailable, clonePath, clonePath)
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &path):
		return fmt.Errorf("%w on %s; run as root, and in a container pass --device %s", fs.ErrPermission, clonePath, clonePath)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run as root or with the capability CAP_NET_ADMIN", fs.ErrPermission)
	case name != "" && (errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EINVAL)):
		return fmt.Errorf("%w: %s is %s; remove that one or choose another name", ErrTaken, name, holder(name))
	default:
		return err
	}
}
