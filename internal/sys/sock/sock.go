// Package sock is UDP in trains: many datagrams of one peer a system call, by segmentation offload where the kernel has it
// (UDP_SEGMENT, UDP_GRO), by sendmmsg and recvmmsg where it has not, one at a time elsewhere. It ships an in-memory twin.
package sock

import (
	"errors"
	"net/netip"
)

// MaxTrain is the most bytes of a Train, MaxSegments the most datagrams.
const (
	MaxTrain    = 65507
	MaxSegments = 64
)

// Train is one datagram or several of equal size, one after another, that go to or came from the same place.
type Train struct {
	Data []byte
	// Segment is the size of each datagram but the last, which may be smaller. 0 or len(Data): there is one.
	Segment int
	// Remote is the other end; an IPv4 address is in its own form (never mapped).
	Remote netip.AddrPort
	// Local is which of our addresses was reached, or is to send. Invalid: the system chooses.
	Local netip.Addr
}

// Socket is an unconnected UDP socket. Receive has one caller at a time, Send may have many.
type Socket interface {
	// Receive waits until something has come, and fills trains from the front; Data is given as a buffer (its whole capacity
	// may be used) and comes back as what was received. It returns net.ErrClosed after Close. Other errors are transient: the
	// caller may go on.
	Receive(trains []Train) (n int, err error)
	// Send sends trains in order. What the system refuses is counted by reason (see Stats) and left out; only net.ErrClosed is an error.
	// It waits while the system's buffer is full.
	Send(trains []Train) error
	// Port is the UDP port.
	Port() uint16
	// Stats tells what was dropped and what is on.
	Stats() Stats
	// Close ends Receive and Send. It may be called again.
	Close() error
}

// Stats are counters since the socket was opened, and what it runs with.
type Stats struct {
	SendGSO, ReceiveGRO       bool   // segmentation offload is in use
	ReceiveBuffer, SendBuffer int    // bytes, as the system tells them
	NoBuffer                  uint64 // datagrams that the system had no memory for (ENOBUFS)
	TooBig                    uint64 // datagrams larger than the path or the interface takes (EMSGSIZE)
	Unreachable               uint64 // datagrams without a route (ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL …)
	Refused                   uint64 // datagrams refused for other reasons (EPERM of a firewall …)
}

// ErrPortTaken says that the UDP port is in use by another socket.
var ErrPortTaken = errors.New("the UDP port is taken")
