package server

import (
	"encoding/binary"
	"sync"

	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/proto/relay"
)

// boxSize is how many bytes wait for a peer, and how many more are on their way to it.
const boxSize = 128 << 10

// boxes are buffers that no outbox uses now.
var boxes = sync.Pool{New: func() any { return new([boxSize]byte) }}

// outbox is what waits for a peer behind a connection: frames, each with its length, as they travel on a stream. While something waits there is a
// goroutine that writes it; what comes while that writes is written together.
type outbox struct {
	write func([]byte) error // writes frames; called by one goroutine at a time
	fail  func()             // called when a write has failed
	start func(func())       // starts a goroutine

	mu      sync.Mutex
	buffer  *[boxSize]byte // nil: nothing waits
	n       int            // bytes of it that are used
	writing bool
	shut    bool
}

// push takes a copy of a frame. It never waits.
func (o *outbox) push(frame []byte) forward.Drop {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.shut:
		return forward.DropUnreachable
	case o.n+2+len(frame) > boxSize:
		return forward.DropQueueFull
	}
	if o.buffer == nil {
		o.buffer = boxes.Get().(*[boxSize]byte)
	}
	binary.BigEndian.PutUint16(o.buffer[o.n:], uint16(len(frame)))
	o.n += 2 + copy(o.buffer[o.n+2:], frame)
	if !o.writing {
		o.writing = true
		o.start(o.drain)
	}
	return forward.Sent
}

// take returns what waits, nil if nothing does: then the writer ends.
func (o *outbox) take() (*[boxSize]byte, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b, n := o.buffer, o.n
	o.buffer, o.n = nil, 0
	if b == nil || o.shut {
		o.writing = false
		return nil, 0
	}
	return b, n
}

func (o *outbox) drain() {
	for b, n := o.take(); b != nil; b, n = o.take() {
		err := o.write(b[:n])
		boxes.Put(b)
		if err != nil {
			o.close()
			o.fail()
		}
	}
}

// close takes nothing more and forgets what waits.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut = true
	if o.buffer != nil {
		boxes.Put(o.buffer)
		o.buffer, o.n = nil, 0
	}
}

// frames calls f with each frame in b, which push has made, until it fails.
func frames(b []byte, f func(frame []byte) error) error {
	for len(b) > 0 {
		frame, rest, err := relay.NextStream(b)
		if err != nil {
			return err
		}
		if err := f(frame); err != nil {
			return err
		}
		b = rest
	}
	return nil
}
