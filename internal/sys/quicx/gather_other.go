//go:build !linux

package quicx

import (
	"net"
	"net/netip"
)

// gathered changes nothing: only Linux takes trains, and relays run there.
func gathered(u *net.UDPConn, _ func(netip.AddrPort)) *net.UDPConn { return u }
