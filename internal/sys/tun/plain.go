package tun

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// packets is the part of the library's device that a plain needs.
type packets interface {
	Read(bufs [][]byte, sizes []int, offset int) (int, error)
	Write(bufs [][]byte, offset int) (int, error)
	BatchSize() int
	Close() error
}

// front is what the library wants before a packet, in bytes: macOS has the address family there.
const front = 16

// plain is a Device over a device without trains. It has one queue, which is itself.
type plain struct {
	name    string
	mtu     int
	device  packets
	bufs    [][]byte // of one read
	sizes   []int
	scratch [1][]byte // the packet that is being written, behind front
	closed  atomic.Bool
	refused atomic.Uint64
	skipped atomic.Uint64
}

func newPlain(name string, mtu int, device packets) *plain {
	n := max(device.BatchSize(), 1)
	return &plain{
		name: name, mtu: mtu, device: device,
		bufs: make([][]byte, n), sizes: make([]int, n),
		scratch: [1][]byte{make([]byte, front, front+offload.MaxPacket)},
	}
}

// Name implements Device.
func (p *plain) Name() string { return p.name }

// MTU implements Device.
func (p *plain) MTU() int { return p.mtu }

// Queues implements Device.
func (p *plain) Queues() []Queue { return []Queue{p} }

// Stats implements Device.
func (p *plain) Stats() Stats { return Stats{Refused: p.refused.Load(), Skipped: p.skipped.Load()} }

// Close implements Device.
func (p *plain) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	return p.device.Close()
}

// Read implements Queue. A packet has the room of a train, since it may be as large as the MTU is made by others.
func (p *plain) Read(buf []byte, supers []offload.Super) (int, error) {
	if len(supers) == 0 || !roomy(buf, Headroom) {
		return 0, ErrRoom
	}
	for {
		slots := 0
		for at := Headroom; slots < min(len(supers), len(p.bufs)) && roomy(buf, at); at = behind(at, offload.MaxPacket) {
			p.bufs[slots] = buf[at-front : at+offload.MaxPacket]
			slots++
		}
		got, err := p.device.Read(p.bufs[:slots], p.sizes[:slots], front)
		if n := p.keep(supers, got); n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, p.gone(err)
		}
	}
}

// keep makes supers of the packets of one read that are IP.
func (p *plain) keep(supers []offload.Super, got int) (n int) {
	for i := range got {
		packet := p.bufs[i][front : front+p.sizes[i]]
		if !isIP(packet) {
			p.skipped.Add(1)
			continue
		}
		supers[n] = offload.Super{Packet: packet}
		n++
	}
	return n
}

// Write implements Queue.
func (p *plain) Write(runs []offload.Run) error {
	for i := range runs {
		if p.closed.Load() {
			return os.ErrClosed
		}
		if !p.flatten(&runs[i]) {
			p.refused.Add(1)
			continue
		}
		_, err := p.device.Write(p.scratch[:], front)
		if errors.Is(err, os.ErrClosed) {
			return p.gone(err)
		}
		if err != nil {
			p.refused.Add(1)
		}
	}
	return nil
}

// flatten puts a packet by itself into scratch, with its checksum, and reports false if the run is none or has no IP header.
func (p *plain) flatten(r *offload.Run) bool {
	if r.Protocol != offload.None {
		return false
	}
	s := p.scratch[0][:front]
	for _, part := range r.Parts {
		if len(s)+len(part) > cap(s) {
			return false
		}
		s = append(s, part...)
	}
	p.scratch[0] = s
	if !sound(&r.Layout, s[front:]) {
		return false
	}
	if r.Partial {
		finish(s[front:], r.Start, r.Offset)
	}
	return true
}

func (p *plain) gone(err error) error {
	if p.closed.Load() {
		return os.ErrClosed
	}
	return fmt.Errorf("the interface %s is gone (%v); somebody removed it", p.name, err) // not wrapped: it can be os.ErrClosed
}
