package tun

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// Bounds of a Twin. What finds a queue full is dropped and counted, as a real interface does.
const (
	twinQueue   = 512  // packets and trains on their way out of the host, a queue
	twinArrived = 1024 // packets on their way into the host
	twinTap     = 256  // runs that wait for the reader of a tap
)

// Twin is the in-memory twin of a TUN device. One side is the Device; the other, in twin_host.go, plays the host.
//
// It waits on channels only; made inside a testing/synctest bubble it lives by the bubble's time.
type Twin struct {
	config  Config
	queues  []*twinQ
	arrived chan []byte
	tap     atomic.Pointer[chan offload.Super]
	once    sync.Once
	end     error // why ended is closed
	ended   chan struct{}
	refused atomic.Uint64
	skipped atomic.Uint64
	dropped atomic.Uint64
}

var _ Device = (*Twin)(nil)

// NewTwin returns a device that is connected to nothing but its own host side. An empty name is cvlan0.
func NewTwin(c Config) *Twin {
	c = c.filled()
	if c.Name == "" {
		c.Name = "cvlan0"
	}
	t := &Twin{config: c, arrived: make(chan []byte, twinArrived), ended: make(chan struct{})}
	for range c.Queues {
		t.queues = append(t.queues, &twinQ{twin: t, out: make(chan offload.Super, twinQueue)})
	}
	return t
}

// Name implements Device.
func (t *Twin) Name() string { return t.config.Name }

// MTU implements Device.
func (t *Twin) MTU() int { return t.config.MTU }

// Queues implements Device.
func (t *Twin) Queues() []Queue {
	qs := make([]Queue, len(t.queues))
	for i, q := range t.queues {
		qs[i] = q
	}
	return qs
}

// Stats implements Device.
func (t *Twin) Stats() Stats {
	return Stats{Refused: t.refused.Load(), Skipped: t.skipped.Load(), TSO: true, USO: !t.config.NoUSO}
}

// Close implements Device.
func (t *Twin) Close() error {
	t.finish(os.ErrClosed)
	return nil
}

func (t *Twin) finish(err error) {
	t.once.Do(func() {
		t.end = err
		close(t.ended)
	})
}

// over reports why the device has ended; nil while it lives.
func (t *Twin) over() error {
	select {
	case <-t.ended:
		return t.end
	default:
		return nil
	}
}

// twinQ is one queue of a Twin.
type twinQ struct {
	twin *Twin
	out  chan offload.Super
}

// Read implements Queue.
func (q *twinQ) Read(buf []byte, supers []offload.Super) (n int, err error) {
	if len(supers) == 0 || !roomy(buf, Headroom) {
		return 0, ErrRoom
	}
	for at := Headroom; n < len(supers) && roomy(buf, at); {
		s, err := q.next(n == 0)
		if err != nil {
			return 0, err
		}
		if s.Packet == nil {
			break
		}
		if len(s.Packet) > offload.MaxPacket || !sound(&s.Layout, s.Packet) {
			q.twin.skipped.Add(1)
			continue
		}
		size := copy(buf[at:], s.Packet)
		supers[n] = offload.Super{Layout: s.Layout, Packet: buf[at : at+size]}
		n++
		at = behind(at, size)
	}
	return n, nil
}

// next takes what the host sent. If there is nothing it waits, or returns nothing.
func (q *twinQ) next(wait bool) (s offload.Super, err error) {
	if !wait {
		select {
		case s = <-q.out:
		default:
		}
		return s, nil
	}
	if err := q.twin.over(); err != nil {
		return s, err
	}
	select {
	case s = <-q.out:
		return s, nil
	case <-q.twin.ended:
		return s, q.twin.end
	}
}

// Write implements Queue.
func (q *twinQ) Write(runs []offload.Run) error {
	if err := q.twin.over(); err != nil {
		return err
	}
	for i := range runs {
		q.twin.accept(offload.Super{Layout: runs[i].Layout, Packet: slices.Concat(runs[i].Parts...)})
	}
	return nil
}
