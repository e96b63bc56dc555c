package flow

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// ways is how many flows a bucket has room for.
const ways = 8

// tags are what is known of eight flows to who looks for one: of each way 8 bits of its hash; 0: there was none yet. So few are read that a cache
// holds them all.
type tags struct{ atomic.Uint64 }

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// tagOf is a flow's tag: never 0.
func tagOf(hash uint64) uint64 { return max(1, hash>>48&0xff) }

// like returns a bit, the highest of its byte, for each way with a tag; there may be more of them, above the first.
func (t *tags) like(tag uint64) uint64 {
	x := t.Load() ^ tag*ones
	return (x - ones) &^ x & highs
}

func (t *tags) set(way uint32, tag uint64) {
	shift := way % ways * 8
	if old := t.Load(); old>>shift&0xff != tag {
		t.Store(old&^(0xff<<shift) | tag<<shift)
	}
}

// used reports whether a way has a flow, be it idle for too long.
func (t *tags) used(way uint32) bool { return t.Load()>>(way%ways*8)&0xff != 0 }

// bucket is a cache line that tells who holds the lock which of eight flows may be forgotten.
type bucket struct {
	until  [ways / 2]uint64 // of each two ways, the lower first, the tick from which on the flow has been idle for too long, and the highest bit
	rank   [ways]uint8
	source [ways]uint8
	_      [16]byte
}

const tops = 1<<63 | 1<<31

// twice is a tick in both halves of a word.
func twice(t tick) uint64 { return uint64(t&^(1<<31)) * (1<<32 | 1) }

// free returns a bit for each way that may be taken, because its flow has been idle for too long, or there is none. wayOfFree names them.
func (b *bucket) free(now tick) uint64 {
	n := twice(now + 1) // subtracted from a half that is not below it, it leaves the highest bit there
	lives := (b.until[0]-n)&tops | (b.until[1]-n)&tops>>1 | (b.until[2]-n)&tops>>2 | (b.until[3]-n)&tops>>3
	return lives ^ (tops | tops>>1 | tops>>2 | tops>>3)
}

func wayOfFree(bit uint64) uint32 {
	at := uint32(bits.TrailingZeros64(bit))
	return 2*(31-at%32) + at/32
}

// set sets the tick from which on a way's flow has been idle for too long.
func (b *bucket) set(way uint32, until tick) {
	w, shift := &b.until[way/2%(ways/2)], way%2*32
	*w = *w&^(math.MaxUint32<<shift) | uint64(until|1<<31)<<shift
}

// end is the tick from which on a way's flow has been idle for too long.
func (b *bucket) end(way uint32) tick { return tick(b.until[way/2%(ways/2)]>>(way%2*32)) &^ (1 << 31) }
