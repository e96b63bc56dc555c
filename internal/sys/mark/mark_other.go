//go:build !linux

package mark

import (
	"context"
	"net"
	"net/netip"
	"syscall"
)

// Set does nothing: exits are used on Linux only.
func Set(uintptr) {}

// Control does nothing.
func Control(string, string, syscall.RawConn) error { return nil }

// Lookup finds a host's addresses.
func Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
