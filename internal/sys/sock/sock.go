// Package sock is UDP in trains: many datagrams of one peer a system call, by segmentation offload where the kernel has it
// (UDP_SEGMENT, UDP_GRO), by sendmmsg and recvmmsg where it has not, one at a time elsewhere. It ships an in-memory twin.
//
// # What is sent
//
// A Socket is bound to one port on all addresses of both families. A train goes to the kernel as it is; where the kernel or a network
// card cannot cut it (EIO: no checksum offload, a route through IPsec) it goes one datagram a message from then on, still many a
// call. A train whose segments do not fit the path's MTU goes so by itself, and the kernel fragments. A train that is to leave from an
// address that this machine has lost leaves from whichever the system chooses. Order is kept within a Send; nothing that is refused keeps
// what stands behind it from being sent.
//
// # What is received
//
// Trains that the kernel has joined come as one Train. Datagrams of no bytes are passed over. A buffer smaller than MaxTrain makes a long
// train lose its end: whole datagrams that fit are delivered, the others are counted.
//
// Neither way allocates.
package sock

import (
	"errors"
	"net/netip"
)

// MaxTrain is the most bytes that one call of the kernel takes and gives as a train, MaxSegments the most datagrams. Send splits what is
// longer.
const (
	MaxTrain    = 65507
	MaxSegments = 64
)

// Batch is how many trains one system call moves. Receive returns no more, Send takes any number.
const Batch = 32

// DefaultPort is the port to try first; a twin does so by itself.
const DefaultPort = 41641

// DefaultBuffer is what a socket asks the system for in each direction, in bytes: 13 ms of a 10 Gbit/s stream, and the windows of a hundred
// TCP connections whose receiver has lost its turn.
const DefaultBuffer = 16 << 20

// Config says what Open is to open.
type Config struct {
	// Port is the UDP port; 0: one that is free.
	Port uint16
	// Buffer is how many bytes the system shall hold in each direction; 0: DefaultBuffer. It may give less (see Stats): on Linux only
	// CAP_NET_ADMIN exceeds net.core.rmem_max and wmem_max.
	Buffer int
	// Shared lets other sockets of this user, Shared too, have the same port. The kernel gives all datagrams of one remote to one of
	// them. Linux only.
	Shared bool
	// Alone has datagrams come one a Train, so that buffers of one datagram lose nothing, until Join is called. Linux only: elsewhere they
	// always do.
	Alone bool
}

// Joiner is a Socket whose datagrams come in trains once Join has been called. From then on buffers have to hold MaxTrain.
type Joiner interface{ Join() }

// Train is one datagram or several of equal size, one after another, that go to or came from the same place.
type Train struct {
	Data []byte
	// Segment is the size of each datagram but the last, which may be smaller. To Send, 0 or no less than len(Data) means that there is
	// one; Receive always sets it, to len(Data) if there is one.
	Segment int
	// Remote is the other end; an IPv4 address is in its own form (never mapped). Zones are ignored.
	Remote netip.AddrPort
	// Local is which of our addresses was reached, or is to send. Invalid: not known, or the system chooses.
	Local netip.Addr
}

// Datagrams is how many there are in the train.
func (t *Train) Datagrams() int {
	if t.Segment <= 0 || t.Segment >= len(t.Data) {
		return min(len(t.Data), 1)
	}
	return (len(t.Data) + t.Segment - 1) / t.Segment
}

// Socket is an unconnected UDP socket. Receive has one caller at a time, Send may have many.
type Socket interface {
	// Receive waits until something has come, and fills trains from the front, at least one; Data is given as a buffer (its whole capacity
	// may be used) and comes back as what was received. Buffers may change places among trains. It returns net.ErrClosed after
	// Close. Other errors are transient: the caller may go on.
	Receive(trains []Train) (n int, err error)
	// Send sends trains in order. What the system refuses is counted by reason (see Stats) and left out; only net.ErrClosed is an error.
	// It waits while the system's buffer is full. Data is not kept. A train of no bytes is left out.
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
	ReceiveBuffer, SendBuffer int    // bytes, as the system tells them (Linux: twice what was asked for); 0: not known
	NoBuffer                  uint64 // datagrams that the system had no memory for (ENOBUFS)
	TooBig                    uint64 // datagrams larger than the path or the interface takes (EMSGSIZE)
	Unreachable               uint64 // datagrams without a route (ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL …)
	Refused                   uint64 // datagrams refused for other reasons (EPERM of a firewall, no address to send to …)
	Overflow                  uint64 // datagrams or trains that came while the receive buffer was full; Linux and the twin only
	Truncated                 uint64 // datagrams, or ends of trains, that came and did not fit into Data
}

// ErrPortTaken says that the UDP port is in use by another socket. A missing right is fs.ErrPermission.
var ErrPortTaken = errors.New("the UDP port is taken")
