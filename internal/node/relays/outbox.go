package relays

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/cvlan/cvlan/proto/relay"
)

// outboxBytes bounds what waits for a connection: 50 ms at 40 Mbit/s, and a few full windows of a slow one.
const outboxBytes = 256 << 10

// outbox holds frames, each with its length, until the connection takes them. Any goroutine may fill it; one empties it.
type outbox struct {
	mu      sync.Mutex
	frames  []byte
	shut    bool
	fill    chan struct{} // has room for one: there is something
	dropped atomic.Uint64
}

func (o *outbox) init() { o.fill = make(chan struct{}, 1) }

// Carry implements tunnel.Carrier.
func (o *outbox) Carry(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut {
		return
	}
	if len(o.frames)+2+len(frame) > outboxBytes {
		o.dropped.Add(1)
		return
	}
	b, err := relay.AppendStream(o.frames, frame)
	if err != nil {
		o.dropped.Add(1)
		return
	}
	o.frames = b
	select {
	case o.fill <- struct{}{}:
	default:
	}
}

// close ends empty; what waits is dropped.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shut {
		o.shut, o.frames = true, nil
		close(o.fill)
	}
}

// empty writes what waits, until the outbox is closed or writing fails. It uses two buffers in turn: one is filled while the other is
// written.
func (o *outbox) empty(w io.Writer) error {
	var spare []byte
	for range o.fill {
		o.mu.Lock()
		full := o.frames
		if len(full) == 0 { // they went with those before
			o.mu.Unlock()
			continue
		}
		o.frames = spare[:0]
		o.mu.Unlock()
		if _, err := w.Write(full); err != nil {
			return err
		}
		spare = full
	}
	return nil
}
