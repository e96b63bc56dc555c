package sni

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/tray"
)

// SessionBus returns the address of the session's bus. Without one it does not start one, as a library would: that would stay behind
// and be nobody's session.
func SessionBus(getenv func(string) string) (string, error) {
	if a := getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && a != "autolaunch:" {
		return a, nil
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		path := filepath.Join(dir, "bus")
		if _, err := os.Stat(path); err == nil {
			return "unix:path=" + dbus.EscapeBusAddressValue(path), nil
		}
	}
	return "", fmt.Errorf("%w: neither DBUS_SESSION_BUS_ADDRESS nor $XDG_RUNTIME_DIR/bus leads to one", tray.ErrNoSession)
}

// connect joins the bus and takes the name that only one tray has.
func connect(address string) (*dbus.Conn, error) {
	c, err := dbus.Connect(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", tray.ErrNoSession, err)
	}
	return c, nil
}

func takeName(c *dbus.Conn) error {
	got, err := c.RequestName(busName, dbus.NameFlagDoNotQueue)
	if err != nil {
		return fmt.Errorf("take the name %s on D-Bus: %w", busName, err)
	}
	if got != dbus.RequestNameReplyPrimaryOwner {
		return tray.ErrRunning
	}
	return nil
}
