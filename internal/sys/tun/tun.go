// Package tun makes TUN devices and ships an in-memory twin.
package tun

import "golang.zx2c4.com/wireguard/tun"

// DefaultMTU leaves room for WireGuard's 32 bytes, UDP and IPv6, a relay's 16 and ESP's 37 on a path of 1492 bytes.
const DefaultMTU = 1380

// Device is a TUN device: batches of packets, with offloads where the system has them. It is the interface of the library that
// makes it.
type Device = tun.Device
