// Package osnet is where a node touches its host's network: interface, addresses, routes, local endpoints, echo requests. Whatever
// it sets up is removed on Close, and after a crash by the next start (see Cleanup).
package osnet

import (
	"context"
	"net/netip"
	"time"
)

// Config is what a membership wants of the host.
type Config struct {
	Interface string         // of the TUN device, which exists already
	MTU       int            // bytes
	Addresses []netip.Prefix // of the node, each with the length of the network's range
	Routes    []netip.Prefix // besides those that the addresses imply
}

// Clash names something on the host that a range would overlap.
type Clash struct {
	Range netip.Prefix // the host's
	On    string       // interface or route that has it
}

// Host is the operating system's network. Methods may be called from any goroutine.
type Host interface {
	// Up gives the interface its MTU, addresses and routes and raises it. Calling it again changes what differs.
	Up(Config) error
	// Down removes what Up did for an interface; it is no error if that is gone already.
	Down(iface string) error
	// Clashes lists routes and addresses of the host, other than on the interfaces named, that overlap one of the ranges. The
	// default route overlaps nothing.
	Clashes(ranges []netip.Prefix, except ...string) ([]Clash, error)
	// LocalAddrs lists the addresses at which others might reach this machine, most wanted first: no loopback, no link-local,
	// nothing on the interfaces named, nothing deprecated or tentative. At most 16.
	LocalAddrs(except ...string) ([]netip.Addr, error)
	// Changes tells that links, addresses or routes have changed; changes in quick succession are told once. The channel is
	// closed when ctx is done.
	Changes(ctx context.Context) (<-chan struct{}, error)
	// Ping sends one ICMP echo request out of the interface and waits for its reply.
	Ping(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error)
}
