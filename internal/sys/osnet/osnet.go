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
	Exit      *Exit          // all other traffic leaves through the interface as well; nil: it leaves as it did
}

// Clash names something on the host that a range would overlap.
type Clash struct {
	Range netip.Prefix // the host's
	On    string       // interface or route that has it
}

// MaxLocalAddrs bounds what LocalAddrs returns.
const MaxLocalAddrs = 16

// MaxClashes bounds what Clashes returns.
const MaxClashes = 16

// Host is the operating system's network. Methods may be called from any goroutine.
type Host interface {
	// Up gives the interface its MTU, addresses and routes and raises it. Calling it again changes what differs. After an error the
	// interface is as it was, or, if it was up before, partly changed: Down removes all. An Exit is refused where it cannot be written down, because it
	// outlives the process: with it gone nothing leaves, until the next start or a Cleanup.
	Up(Config) error
	// Down removes what Up did for an interface; it is no error if that is gone already.
	Down(iface string) error
	// Hold has nothing leave the machine but what an exit would let pass, while no interface that is up has an exit: before that, between two, and where it cannot
	// come up. Of the Exit only LAN counts. nil ends it, and no exit that is in use. It outlives the process, and is refused where it cannot be written down.
	Hold(*Exit) error
	// Uplinks reports in which families the machine has a default route of its own.
	Uplinks() (four, six bool, err error)
	// Forward has packets passed on between an interface that is up and networks behind this machine, these and no others than before. Down ends it. It
	// is refused where it cannot be written down, because it outlives the process.
	Forward(Forwarding) error
	// Clashes lists routes and addresses of the host, other than on the interfaces named, that overlap one of the ranges. The
	// default route overlaps nothing, in halves neither. At most MaxClashes.
	Clashes(ranges []netip.Prefix, except ...string) ([]Clash, error)
	// LocalAddrs lists the addresses at which others might reach this machine, most wanted first: no loopback, no link-local,
	// nothing on the interfaces named, nothing deprecated or tentative. At most MaxLocalAddrs.
	LocalAddrs(except ...string) ([]netip.Addr, error)
	// LocalNetworks lists the networks that those addresses are in: others there need no router to reach this machine. At most MaxLocalAddrs.
	LocalNetworks(except ...string) ([]netip.Prefix, error)
	// Changes tells that links, addresses or routes have changed; changes in quick succession are told once. The channel is
	// closed when ctx is done.
	Changes(ctx context.Context) (<-chan struct{}, error)
	// Sleeps tells that the machine slept, and for how long, each time after it has; what nobody has heard of yet adds up. The channel is
	// closed when ctx is done.
	Sleeps(ctx context.Context) <-chan time.Duration
	// Ping sends one ICMP echo request with that many bytes of payload out of the interface and waits for its reply, until ctx is
	// done and at most MaxPing.
	Ping(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error)
}
