//go:build !linux

package sock

import (
	"fmt"
	"net"
)

// OpenBeside exists on Linux only: other systems do not tell datagrams by their bytes.
func OpenBeside(c Config, n int) ([]Socket, *net.UDPConn, error) {
	return nil, nil, fmt.Errorf("open UDP port %d for QUIC beside others: %w", c.Port, errNotShared)
}
