// Package tun makes TUN devices and ships an in-memory twin.
//
// A Device moves packets, and trains of packets as core/offload has them, between a tunnel and the host's network. On Linux the
// devices carry virtio headers, so that the kernel hands over and takes whole trains of TCP and UDP segments: one system call a train,
// no copy of our own, no allocation. A call takes what is there and never waits once it has something; waiting is done by the runtime's poller.
//
// A device belongs to its file descriptors: when the process ends, however that happens, the interface is gone, with its addresses and
// routes. macOS (utun) and Windows (wintun.dll must lie beside the program) go through a library, packet by packet; those two compile and
// are not tested yet.
package tun

import "errors"

// DefaultMTU leaves room for WireGuard's 32 bytes, UDP and IPv6, a relay's 16 and ESP's 37 on a path of 1492 bytes.
const DefaultMTU = 1380

// MinMTU is the least that IPv6 accepts of a link (RFC 8200, section 5), MaxMTU the most that an IP packet can be.
const (
	MinMTU = 1280
	MaxMTU = 65535
)

// What callers tell apart. Missing rights are fs.ErrPermission.
var (
	ErrUnavailable = errors.New("this system offers no TUN devices")
	ErrTaken       = errors.New("the name is taken")
	ErrName        = errors.New("not a name for an interface")
)
