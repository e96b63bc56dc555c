package load

// tally counts numbered packets as they arrive.
type tally struct {
	seen      []uint64 // a bit a number
	limit     uint64   // numbers are below it
	next      uint64   // above the highest number so far
	received  uint64   // different numbers
	doubled   uint64   // packets whose number had come before
	reordered uint64   // packets that came after a higher number, doubled ones not among them (RFC 4737, section 3)
}

// newTally counts numbers below limit, for which it takes an eighth of a byte each.
func newTally(limit uint64) *tally { return &tally{seen: make([]uint64, (limit+63)/64), limit: limit} }

// add counts a packet; one with a number out of range is ignored.
func (t *tally) add(number uint64) {
	if number >= t.limit {
		return
	}
	word, bit := &t.seen[number/64], uint64(1)<<(number%64)
	if *word&bit != 0 {
		t.doubled++
		return
	}
	*word |= bit
	t.received++
	if number < t.next {
		t.reordered++
		return
	}
	t.next = number + 1
}
