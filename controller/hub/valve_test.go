package hub

import (
	"context"
	"errors"
	"sync"

	"github.com/cvlan/cvlan/internal/sys/stream"
)

// valve is the hub's end of a stream whose peer can be made to take nothing.
type valve struct {
	stream.Stream
	mu     sync.Mutex
	closed chan struct{} // closed while the valve is open
	wanted bool
	first  bool // has come
	held   bool // the first frame stands in the valve, and others pass
	broken bool
	ready  func()
}

func newValve(s stream.Stream) *valve {
	v := &valve{Stream: s, closed: make(chan struct{})}
	close(v.closed)
	return v
}

func (v *valve) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = make(chan struct{})
}

// holdFirst lets everything pass but the next frame that is sent.
func (v *valve) holdFirst() {
	v.shut()
	v.held = true
}

func (v *valve) open() {
	v.mu.Lock()
	close(v.closed)
	tell := v.wanted && v.ready != nil
	v.wanted = false
	v.mu.Unlock()
	if tell {
		v.ready()
	}
}

// breaks makes sending fail, while nothing is to be noticed at the other end.
func (v *valve) breaks() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.broken = true
}

func (v *valve) isOpen() (<-chan struct{}, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.closed:
		return v.closed, true
	default:
		return v.closed, false
	}
}

// OnReady implements stream.Stream.
func (v *valve) OnReady(f func()) {
	v.ready = f
	v.Stream.OnReady(f)
}

// TrySend implements stream.Stream.
func (v *valve) TrySend(b []byte) error {
	if _, open := v.isOpen(); !open {
		v.mu.Lock()
		v.wanted = true
		v.mu.Unlock()
		return stream.ErrWouldBlock
	}
	if v.broken {
		return errors.New("broken")
	}
	return v.Stream.TrySend(b)
}

// Send implements stream.Stream.
func (v *valve) Send(ctx context.Context, b []byte) error {
	passable, _ := v.isOpen()
	if v.passes() {
		return v.Stream.Send(ctx, b)
	}
	select {
	case <-passable:
		return v.Stream.Send(ctx, b)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passes reports whether this frame goes by the one that stands in the valve.
func (v *valve) passes() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	stands := v.held && v.first
	v.first = true
	return stands
}
