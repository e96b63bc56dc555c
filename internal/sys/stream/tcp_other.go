//go:build !linux

package stream

import (
	"net"
	"time"
)

// setUserTimeout does nothing: only Linux has TCP_USER_TIMEOUT. Keepalives and our own write deadline remain.
func setUserTimeout(*net.TCPConn, time.Duration) {}
