package xfrm

import (
	"errors"
	"net/netip"
)

// Config says which interface is wanted.
type Config struct {
	Name string // of the interface, at most 15 bytes
	MTU  int    // inside, in bytes
	// Protocol is the origin of the routes (RTPROT), by which they are known.
	Protocol uint8
}

// Way is whose traffic is the kernel's, and where it goes.
type Way struct {
	Peer      uint32       // the peer's number
	Ours      []netip.Addr // inside
	Theirs    []netip.Addr
	Protocols []uint8 // of IP; nil: all. What others send is dropped
}

// ErrLost says that an association was removed, and that nobody knows where the kernel has ended: it must not be used again.
var ErrLost = errors.New("the kernel's last numbers of the association are not known")

// ErrUnsupported says that this system cannot.
var ErrUnsupported = errors.New("this system has no XFRM interfaces")
