package wg

import "github.com/cvlan/cvlan/internal/core/marks"

const (
	// Window is how far a packet may arrive behind the newest one and still be accepted: 9 ms of 10 Gbit/s, or 90 ms of
	// 1 Gbit/s, which is what a move from a relay to a direct path reorders.
	Window = slots * slotBits

	slots    = 256
	slotBits = marks.Bits

	// receiveLimit bounds the counters that a window can tell apart. No honest sender comes near: it would have to send 195
	// billion packets a second for all of RejectAfterTime. A peer that skips ahead harms only itself.
	receiveLimit = uint64(Window) << 32
)

// window remembers which counters were received. Any number of workers may accept at once without a lock.
//
// The window is Window counters deep, give or take a slot. A counter further behind is refused if its slot has moved on, which
// under any steady flow it has; if not, it is accepted, because it is certainly new. The zero window has seen nothing.
type window struct{ ring [slots]marks.Slot }

// accept reports whether counter is new, and marks it. Call it only after the packet has proved authentic. For one counter it
// returns true once in the life of the window, whoever calls and when.
func (w *window) accept(counter uint64) bool {
	if counter >= receiveLimit {
		return false
	}
	return w.ring[counter/slotBits%slots].Accept(counter/Window, uint(counter%slotBits))
}
