package tun

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.zx2c4.com/wireguard/tun"
)

// Bounds of the twin.
const (
	memoryQueue = 1024 // packets that wait in one direction; more are dropped, as a real interface does
	memoryBatch = 16   // packets a Read or Write
)

// Memory is the in-memory twin of a TUN device. One side is the Device, which a tunnel holds; the other plays the host: what Send
// takes the Device reads, and what the Device writes Receive returns.
//
// It waits on channels only; made inside a testing/synctest bubble it lives by the bubble's time.
type Memory struct {
	name    string
	mtu     int
	out     chan []byte // from the host to the Device
	in      chan []byte // from the Device to the host
	events  chan tun.Event
	closed  chan struct{}
	once    sync.Once
	dropped atomic.Uint64
}

var _ Device = (*Memory)(nil)

// NewMemory returns a device that is connected to nothing but Send and Receive.
func NewMemory(name string, mtu int) *Memory {
	return newMemory(name, mtu, make(chan []byte, memoryQueue), make(chan []byte, memoryQueue))
}

// Pair returns two devices of which each reads what the other writes. Closing one leaves the other open and silent.
func Pair(nameA, nameB string, mtu int) (*Memory, *Memory) {
	ab, ba := make(chan []byte, memoryQueue), make(chan []byte, memoryQueue)
	return newMemory(nameA, mtu, ba, ab), newMemory(nameB, mtu, ab, ba)
}

func newMemory(name string, mtu int, out, in chan []byte) *Memory {
	return &Memory{name: name, mtu: mtu, out: out, in: in, events: make(chan tun.Event, 1), closed: make(chan struct{})}
}

// Send plays the host that sends a packet into the interface. It reports whether there was room.
func (m *Memory) Send(packet []byte) bool { return m.put(m.out, packet) }

// Receive plays the host: it waits for the next packet that came out of the tunnel; os.ErrClosed ends it.
func (m *Memory) Receive() ([]byte, error) {
	select {
	case p := <-m.in:
		return p, nil
	case <-m.closed:
		return nil, os.ErrClosed
	}
}

// Arrived is the channel behind Receive, for a select.
func (m *Memory) Arrived() <-chan []byte { return m.in }

// Dropped counts packets that found a full queue or a closed device.
func (m *Memory) Dropped() uint64 { return m.dropped.Load() }

func (m *Memory) put(to chan<- []byte, packet []byte) bool {
	select {
	case <-m.closed:
		m.dropped.Add(1)
		return false
	default:
	}
	select {
	case to <- append([]byte(nil), packet...):
		return true
	default:
		m.dropped.Add(1)
		return false
	}
}

// Read implements Device: it waits for one packet and takes what else is there.
func (m *Memory) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	select {
	case <-m.closed:
		return 0, os.ErrClosed
	default:
	}
	select {
	case p := <-m.out:
		sizes[0] = copy(bufs[0][offset:], p)
	case <-m.closed:
		return 0, os.ErrClosed
	}
	n := 1
	for ; n < min(len(bufs), memoryBatch); n++ {
		select {
		case p := <-m.out:
			sizes[n] = copy(bufs[n][offset:], p)
		default:
			return n, nil
		}
	}
	return n, nil
}

// Write implements Device. A packet for which there is no room is dropped, not refused.
func (m *Memory) Write(bufs [][]byte, offset int) (int, error) {
	select {
	case <-m.closed:
		return 0, os.ErrClosed
	default:
	}
	for i, b := range bufs {
		if len(b) < offset {
			return i, fmt.Errorf("packet of %d bytes at offset %d", len(b), offset)
		}
		m.put(m.in, b[offset:])
	}
	return len(bufs), nil
}

// Close implements Device; it may be called again.
func (m *Memory) Close() error {
	m.once.Do(func() {
		close(m.closed)
		close(m.events)
	})
	return nil
}

// The rest of Device.

func (m *Memory) File() *os.File           { return nil }
func (m *Memory) MTU() (int, error)        { return m.mtu, nil }
func (m *Memory) Name() (string, error)    { return m.name, nil }
func (m *Memory) Events() <-chan tun.Event { return m.events }
func (m *Memory) BatchSize() int           { return memoryBatch }
