//go:build !windows

package local

import (
	"context"
	"net"
)

// DefaultSocket is where the daemon listens unless told otherwise.
const DefaultSocket = "/run/cvlan/cvland.sock"

func dial(ctx context.Context, path string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", path)
}
