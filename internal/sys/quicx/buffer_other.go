//go:build !linux

package quicx

import "net"

// forceBuffers does nothing: only Linux lets a process go beyond the system's limit.
func forceBuffers(*net.UDPConn, int) {}

// buffersOf does not ask: the sizes matter on servers, and those run Linux.
func buffersOf(*net.UDPConn) Buffers { return Buffers{} }
