package tun

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/tun"
)

// checkName accepts the only names that macOS gives to such interfaces.
func checkName(name string) error {
	n, ok := strings.CutPrefix(name, "utun")
	if i, err := strconv.Atoi(n); !ok || err != nil || i < 0 || i > 255 {
		return fmt.Errorf("%w: %.40q; macOS has utun0 to utun255", ErrName, name)
	}
	return nil
}

func open(name string, mtu int) (tun.Device, error) {
	want := name
	if want == "" {
		want = "utun" // the system picks the number
	}
	d, err := tun.CreateTUN(want, mtu)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; run as root", fs.ErrPermission)
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%w: %s; choose another", ErrTaken, name)
	}
	return d, err
}
