package esp

import (
	"math/bits"
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/core/marks"
)

// Sizes of a replay window, in packets. The least is 1 ms of 10 Gbit/s, or 12 ms of 1 Gbit/s, which is what the queues of one path reorder;
// the most is what a move from a relay to a direct path does.
const (
	LeastWindow = 1024
	MostWindow  = 4096
)

// window remembers which sequence numbers were received (§3.4.3). Any number of workers may accept at once without a lock.
type window struct {
	top  atomic.Uint64 // the highest number that was accepted
	ring []marks.Slot  // a power of two of them
}

// newWindow makes one of at least size numbers: as many as the ring has, less the slot that moves on.
func newWindow(size int) window {
	return window{ring: make([]marks.Slot, 1<<bits.Len(uint(size+marks.Bits-1)/marks.Bits))}
}

// size is how far behind the highest number one may be.
func (w *window) size() uint64 { return w.lap() - marks.Bits }

// lap is how many numbers go once around the ring.
func (w *window) lap() uint64 { return uint64(len(w.ring)) * marks.Bits }

// place is the slot of a number, the lap that it is in, and its bit.
func (w *window) place(seq uint64) (slot *marks.Slot, lap uint64, bit uint) {
	block := seq / marks.Bits
	return &w.ring[block&uint64(len(w.ring)-1)], block >> bits.TrailingZeros(uint(len(w.ring))), uint(seq % marks.Bits)
}

// bottom is the least number that is not too old.
func (w *window) bottom(top uint64) uint64 {
	if top < w.size() {
		return 1
	}
	return top - w.size() + 1
}

// whole is the extended number of which a packet carries the lower half: the only one from bottom on whose lower half it is, within 2^32
// (appendix A2.2).
func (w *window) whole(low uint32) uint64 {
	bottom := w.bottom(w.top.Load())
	return bottom + uint64(low-uint32(bottom))
}

// limit bounds the numbers that laps can tell apart. No honest sender comes near: it would take days of 10 million packets a second with
// one key.
func (w *window) limit() uint64 { return w.lap() << 32 }

// fresh reports whether seq may be accepted, as far as can be told before the packet has proved authentic.
func (w *window) fresh(seq uint64) bool {
	if seq < w.bottom(w.top.Load()) || seq >= w.limit() {
		return false
	}
	slot, lap, bit := w.place(seq)
	return slot.Fresh(lap, bit)
}

// accept reports whether seq is new, and marks it. Call it only after the packet has proved authentic. For one number it returns true
// once in the life of the window, whoever calls and when.
func (w *window) accept(seq uint64) bool {
	if seq < w.bottom(w.top.Load()) || seq >= w.limit() {
		return false
	}
	slot, lap, bit := w.place(seq)
	if !slot.Accept(lap, bit) {
		return false
	}
	w.raise(seq)
	return true
}

func (w *window) raise(seq uint64) {
	for {
		top := w.top.Load()
		if seq <= top || w.top.CompareAndSwap(top, seq) {
			return
		}
	}
}
