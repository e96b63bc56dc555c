//go:build !linux

package stream

import (
	"net"
	"syscall"
	"time"
)

// setUserTimeout does nothing: only Linux has TCP_USER_TIMEOUT. Keepalives and our own write deadline remain.
func setUserTimeout(*net.TCPConn, time.Duration) {}

// unheard cannot tell: a line that is dead ends by its keepalives, within a minute.
func unheard(net.Conn) (time.Duration, bool) { return 0, false }

// shorten does nothing: elsewhere the system finds black holes by itself (RFC 4821).
func shorten(_, _ string, _ syscall.RawConn) error { return nil }
