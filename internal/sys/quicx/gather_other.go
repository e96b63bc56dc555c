//go:build !linux

package quicx

import "net"

// gathered changes nothing: only Linux takes trains, and relays run there.
func gathered(u *net.UDPConn) *net.UDPConn { return u }
