package tun

import (
	"errors"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// Room that Read leaves around packets, so that a tunnel protocol can put its own in front and behind without a copy.
const (
	Headroom = 64 // bytes before the first packet of a Read
	Between  = 64 // bytes between two packets, at least
	Tailroom = 64 // bytes behind the last
)

// MinBuffer is the least buffer that Read takes, in bytes: room for the largest train. Four times as much lets it gather a few.
const MinBuffer = Headroom + offload.MaxPacket + Tailroom

// Device is a TUN device: packets and trains of packets between this program and the host's network.
type Device interface {
	Name() string
	MTU() int // as it was opened with, in bytes
	// Queues are the ways in and out, at least one. The kernel keeps a flow on one queue.
	Queues() []Queue
	// Stats are counters since the device was opened.
	Stats() Stats
	// Close takes the interface away and ends every Read. It may be called again.
	Close() error
}

// Queue is one way in and out of a Device. Read and Write may run at the same time, each with one caller.
type Queue interface {
	// Read waits for what the host sends and takes what is there: packets into buf one after another, at most len(supers), as long as
	// another train could fit (a call never waits once it has a packet). It returns os.ErrClosed after Close, and ErrRoom if it was not
	// given at least MinBuffer bytes and one Super; any other error means that the device is gone.
	//
	// Every packet is as long as an IP header of its version at least, and a Layout agrees with its packet. The capacity of a packet
	// runs on to the end of buf: it begins at cap(buf)-cap(packet).
	Read(buf []byte, supers []offload.Super) (n int, err error)
	// Write hands runs to the host, in order. What the host refuses is counted and left out; an error means as in Read.
	Write(runs []offload.Run) error
}

// ErrRoom says that a Read was given too little to read into.
var ErrRoom = errors.New("too little room to read a packet from the TUN device")

// Stats are counters since a device was opened, and what it runs with.
type Stats struct {
	Refused uint64 // runs that the host did not take (interface down, no memory, malformed)
	Skipped uint64 // packets from the host that were left out, because they are not IP or their layout makes no sense
	TSO     bool   // TCP trains are in use. Without, the device gives and takes only packets by themselves with their checksums done
	USO     bool   // UDP trains are in use, beside TCP's
}

// roomy reports whether another train fits into buf from at on.
func roomy(buf []byte, at int) bool { return len(buf)-at >= offload.MaxPacket+Tailroom }

// behind returns where the next packet goes after one of size bytes at at: at a multiple of 64, where copies are fastest.
func behind(at, size int) int { return (at + size + Between + 63) &^ 63 }
