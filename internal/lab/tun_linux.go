package lab

import (
	"fmt"
	"os"
	"testing"
)

// CheckTUN says whether programs in the laboratory can make TUN devices; the error wraps ErrUnavailable. An ordinary
// user needs read and write permission on the device, as most distributions give it.
func CheckTUN() error {
	f, err := os.OpenFile(tunDevice, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w; %s", ErrUnavailable, err, tunHint)
	}
	return f.Close()
}

// NeedTUN skips a test where CheckTUN fails.
func NeedTUN(t testing.TB) {
	t.Helper()
	if err := CheckTUN(); err != nil {
		t.Skip("lab: ", err)
	}
}

const (
	tunDevice = "/dev/net/tun"
	tunHint   = "run it as root, or allow it by chmod 0666 /dev/net/tun (modprobe tun where it does not exist)"
)
