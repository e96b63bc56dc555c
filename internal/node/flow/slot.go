package flow

import (
	"math"
	"sync/atomic"
)

// slot is one flow, a cache line. Who holds the shard's lock writes it; anybody reads it, and looks at stamp before and after. A
// version is odd while there is no flow, or while it is being written. Stores are what costs most of a new flow, so they are few.
type slot struct {
	key   [5]atomic.Uint64
	mood  atomic.Uint64 // epoch<<32 | state
	stamp atomic.Uint64 // version<<32 | tick of the last packet, or up to fresh ticks before it
	_     uint64
}

const vacant = 1 << 32 // the bit of a stamp that makes its version odd

func (x *slot) seen() tick { return tick(x.stamp.Load()) }

// see notes when a flow's last packet came.
func (x *slot) see(now tick) {
	if old := x.stamp.Load(); tick(old) != now {
		x.stamp.Store(old&^math.MaxUint32 | uint64(now))
	}
}

// fill puts a flow in place of another, or where there was none.
func (x *slot) fill(k *key, now tick, epoch uint32, s state) {
	version := x.stamp.Load()>>32 | 1
	x.stamp.Store(version << 32)
	x.keep(k)
	x.set(epoch, s)
	x.stamp.Store((version+1)<<32 | uint64(now))
}

func (x *slot) is(k *key) bool {
	return x.key[4].Load() == k[4] && x.key[3].Load() == k[3] && x.key[1].Load() == k[1] && x.key[2].Load() == k[2] && x.key[0].Load() == k[0]
}

// keep stores a key. A store that others see costs more than to look whether it changes anything: of IPv4 half does not.
func (x *slot) keep(k *key) {
	for i := range k {
		if x.key[i].Load() != k[i] {
			x.key[i].Store(k[i])
		}
	}
}

func (x *slot) load() (k key) {
	for i := range k {
		k[i] = x.key[i].Load()
	}
	return k
}

func (x *slot) state() state { return state(x.mood.Load()) }

func (x *slot) set(epoch uint32, s state) {
	if mood := uint64(epoch)<<32 | uint64(s); x.mood.Load() != mood {
		x.mood.Store(mood)
	}
}
