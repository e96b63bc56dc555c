//go:build !linux

package load

import (
	"net"
	"time"
)

// nap sleeps.
func nap(d time.Duration) { time.Sleep(d) }

// enlarge makes a socket's receive buffer so many bytes, or as many as the system allows.
func enlarge(c *net.UDPConn, bytes int) { _ = c.SetReadBuffer(bytes) }
