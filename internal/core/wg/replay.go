package wg

import "sync/atomic"

const (
	// Window is how far a packet may arrive behind the newest one and still be accepted: 9 ms of 10 Gbit/s, or 90 ms of
	// 1 Gbit/s, which is what a move from a relay to a direct path reorders.
	Window = slots * slotBits

	slots    = 256
	slotBits = 32

	// receiveLimit bounds the counters that a window can tell apart. No honest sender comes near: it would have to send 195
	// billion packets a second for all of RejectAfterTime. A peer that skips ahead harms only itself.
	receiveLimit = uint64(Window) << 32
)

// window remembers which counters were received, RFC 6479 with a twist: each slot of the ring carries, beside 32 bits for 32
// counters, the number of the lap that they belong to. A slot is one word, so one compare-and-swap both moves it to a newer lap
// and marks a counter, and any number of workers may accept at once without a lock. Laps only grow, so a counter once marked
// stays refused: its slot holds either its mark or a newer lap.
//
// The window is Window counters deep, give or take a slot. A counter further behind is refused if its slot has moved on, which
// under any steady flow it has; if not, it is accepted, because it is certainly new. The zero window has seen nothing.
type window struct{ ring [slots]atomic.Uint64 }

// accept reports whether counter is new, and marks it. Call it only after the packet has proved authentic. For one counter it
// returns true once in the life of the window, whoever calls and when.
func (w *window) accept(counter uint64) bool {
	if counter >= receiveLimit {
		return false
	}
	slot := &w.ring[counter/slotBits%slots]
	lap := counter / Window
	mark := uint64(1) << (counter % slotBits)
	for {
		old := slot.Load()
		fresh := lap<<slotBits | mark
		switch oldLap := old >> slotBits; {
		case oldLap > lap:
			return false
		case oldLap == lap:
			if old&mark != 0 {
				return false
			}
			fresh |= old
		}
		if slot.CompareAndSwap(old, fresh) {
			return true
		}
	}
}
