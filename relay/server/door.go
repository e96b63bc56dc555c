package server

import (
	"errors"
	"net/netip"
	"sync"
)

// errFull is why a connection is turned away at a door.
var errFull = errors.New("too many at once")

// door counts who is inside, in all and from each source, and lets nobody in beyond its bounds.
type door struct {
	mu      sync.Mutex
	total   int
	each    int // from one source; 0: as many as total
	inside  int
	sources map[netip.Prefix]int
}

func newDoor(total, each int) *door {
	return &door{total: total, each: each, sources: map[netip.Prefix]int{}}
}

// enter lets one in; from is not counted by source if it is invalid. What it returns is called once, when that one leaves.
func (d *door) enter(from netip.Addr) (leave func(), err error) {
	bits := 32
	if from.Is6() {
		bits = 64
	}
	p, _ := from.Prefix(bits)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside >= d.total || d.each > 0 && p.IsValid() && d.sources[p] >= d.each {
		return nil, errFull
	}
	d.inside++
	if p.IsValid() {
		d.sources[p]++
	}
	return func() { d.leave(p) }, nil
}

// shut lets nobody in any more.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total = 0
}

func (d *door) leave(p netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inside--
	if d.sources[p]--; d.sources[p] <= 0 {
		delete(d.sources, p)
	}
}
