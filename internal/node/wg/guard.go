package wg

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"golang.zx2c4.com/wireguard/tun"
)

// guard is the TUN device as the library sees it. It keeps two things from the library: packets with a source address that is
// not the node's, and the interface's ups and downs, at which the library would close its sockets and forget its sessions; the
// engine alone decides when a tunnel ends.
//
// A packet costs one comparison with each of the node's addresses (two, as a rule), and no allocation.
type guard struct {
	tun.Device
	sources atomic.Pointer[[]netip.Addr] // nil: everything passes
	foreign atomic.Uint64
	events  chan tun.Event
}

func newGuard(d tun.Device) *guard {
	g := &guard{Device: d, events: make(chan tun.Event)}
	go g.forward() // until the device is closed, which closes its channel
	return g
}

func (g *guard) forward() {
	defer close(g.events)
	for e := range g.Device.Events() {
		if e &= tun.EventMTUUpdate; e != 0 {
			g.events <- e
		}
	}
}

// Events implements tun.Device: changes of the MTU.
func (g *guard) Events() <-chan tun.Event { return g.events }

// Read implements tun.Device. A packet that must not leave gets the size 0, which the library skips.
func (g *guard) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	n, err := g.Device.Read(bufs, sizes, offset)
	own := g.sources.Load()
	if own == nil {
		return n, err
	}
	for i := range n {
		if sizes[i] > 0 && !ownSource(*own, bufs[i][offset:offset+sizes[i]]) {
			sizes[i] = 0
			g.foreign.Add(1)
		}
	}
	return n, err
}

// ownSource reports whether a packet comes from one of the addresses. What is no IP packet does not.
func ownSource(own []netip.Addr, packet []byte) bool {
	switch {
	case packet[0]>>4 == 4 && len(packet) >= 20:
		return slices.Contains(own, netip.AddrFrom4([4]byte(packet[12:16])))
	case packet[0]>>4 == 6 && len(packet) >= 40:
		return slices.Contains(own, netip.AddrFrom16([16]byte(packet[8:24])))
	}
	return false
}
