package stream

import (
	"context"
	"net"
	"sync"
)

// gate lets one writer at a time through, and tells those who were turned away when it is free again.
type gate struct {
	mu      sync.Mutex
	busy    bool
	shut    bool
	refused bool          // try was answered no since the gate was last free
	ready   func()        // see Stream.OnReady
	freed   chan struct{} // made by who waits; closed when the gate is free or shut
}

func (g *gate) onReady(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ready = f
}

// try enters if the gate is free.
func (g *gate) try() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy || g.shut {
		g.refused = true
		return false
	}
	g.busy = true
	return true
}

// enter waits until the gate is free and enters.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		switch {
		case g.shut:
			g.mu.Unlock()
			return net.ErrClosed
		case !g.busy:
			g.busy = true
			g.mu.Unlock()
			return nil
		}
		freed := g.waitLocked()
		g.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave frees the gate and calls ready if somebody was turned away.
func (g *gate) leave() {
	g.mu.Lock()
	g.busy = false
	g.wakeLocked()
	tell := g.refused && !g.shut && g.ready != nil
	g.refused = false
	ready := g.ready
	g.mu.Unlock()
	if tell {
		ready()
	}
}

// close lets nobody enter any more, and reports whether it was the first to do so.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.shut = true
	g.wakeLocked()
	return true
}

// empty waits until who is inside has left.
func (g *gate) empty(ctx context.Context) error {
	for {
		g.mu.Lock()
		if !g.busy {
			g.mu.Unlock()
			return nil
		}
		freed := g.waitLocked()
		g.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *gate) waitLocked() <-chan struct{} {
	if g.freed == nil {
		g.freed = make(chan struct{})
	}
	return g.freed
}

func (g *gate) wakeLocked() {
	if g.freed != nil {
		close(g.freed)
		g.freed = nil
	}
}
