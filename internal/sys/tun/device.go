package tun

import "github.com/cvlan/cvlan/internal/core/offload"

// Room that Read leaves around packets, so that a tunnel protocol can put its own in front and behind without a copy.
const (
	Headroom = 64 // bytes before the first packet of a Read
	Tailroom = 64 // bytes behind the last
)

// Interface is a TUN device: packets and trains of packets between this program and the host's network.
type Interface interface {
	Name() string
	MTU() int // as it was opened with, in bytes
	// Queues are the ways in and out, at least one. The kernel keeps a flow on one queue.
	Queues() []Queue
	// Stats are counters since the device was opened.
	Stats() Stats
	// Close takes the interface away and ends every Read. It may be called again.
	Close() error
}

// Queue is one way in and out of an Interface. Read and Write may run at the same time, each with one caller.
type Queue interface {
	// Read waits for what the host sends and takes what is there: packets into buf one after another, at most len(supers), as long as
	// another train could fit (a call never waits once it has a packet). It returns os.ErrClosed after Close; any other error means that the
	// device is gone.
	Read(buf []byte, supers []offload.Super) (n int, err error)
	// Write hands runs to the host, in order. What the host refuses is counted and left out; an error means as in Read.
	Write(runs []offload.Run) error
}

// Stats are counters since a device was opened.
type Stats struct {
	Refused uint64 // runs that the host did not take (interface down, no memory, malformed)
	USO     bool   // UDP trains are in use, beside TCP's
}
