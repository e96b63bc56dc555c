// Package marks is what workers and an owner tell each other without a lock: a word that one of them leaves, and which numbers have been
// received.
package marks

import "sync/atomic"

// Mark is a word that is written only when it changes, because a cache line that two workers read is cheap and one that both write is not.
type Mark[T ~int64 | ~uint64] struct{ v atomic.Uint64 }

// Get returns what was set last, from the beginning zero.
func (m *Mark[T]) Get() T { return T(m.v.Load()) }

// Set leaves a word.
func (m *Mark[T]) Set(to T) {
	if m.v.Load() != uint64(to) {
		m.v.Store(uint64(to))
	}
}

// Bits is how many numbers a Slot holds.
const Bits = 32

// Slot is one place of a ring that remembers which numbers were received: RFC 6479 with a twist. Beside Bits bits for as many numbers it
// carries the lap that they belong to, below 2^32. It is one word, so one compare-and-swap both moves it to a newer lap and marks a number,
// and any number of workers may accept at once. Laps only grow, so a number once marked stays refused: its slot holds either its mark or a
// newer lap.
type Slot struct{ v atomic.Uint64 }

// Fresh reports whether Accept would succeed now.
func (s *Slot) Fresh(lap uint64, bit uint) bool {
	old := s.v.Load()
	return old>>Bits < lap || old>>Bits == lap && old&(1<<bit) == 0
}

// Accept marks a number of a lap, and reports whether it was new. For one number it returns true once, whoever calls and when.
func (s *Slot) Accept(lap uint64, bit uint) bool {
	for {
		old, mine := s.v.Load(), lap<<Bits|1<<bit
		switch oldLap := old >> Bits; {
		case oldLap > lap:
			return false
		case oldLap == lap:
			if old&(1<<bit) != 0 {
				return false
			}
			mine |= old
		}
		if s.v.CompareAndSwap(old, mine) {
			return true
		}
	}
}
