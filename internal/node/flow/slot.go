package flow

import (
	"math"
	"sync/atomic"

	"github.com/cvlan/cvlan/policy/filter"
)

// slot is one flow, half a cache line. Who holds the shard's lock writes it; anybody reads it, and looks at stamp before and after. A
// version is odd while there is no flow, or while it is being written. Stores are what costs most of a new flow, so they are few.
type slot struct {
	ends  atomic.Uint64 // both addresses of IPv4, or the ends of both of IPv6, which the body's long has whole
	rest  atomic.Uint64 // the last word of the key
	mood  atomic.Uint64 // epoch<<32 | state
	stamp atomic.Uint64 // version<<32 | tick of the last packet, or up to fresh ticks before it
}

const vacant = 1 << 32 // the bit of a stamp that makes its version odd

// addresses are those of a flow of IPv6.
type addresses [4]atomic.Uint64

// see notes when a flow's last packet came.
func (x *slot) see(now tick) {
	if old := x.stamp.Load(); tick(old) != now {
		x.stamp.Store(old&^math.MaxUint32 | uint64(now))
	}
}

// is reports whether a slot is a flow's.
func (b *body) is(p place, k *key) bool {
	x := &b.slots[p]
	return x.rest.Load() == k[4] && x.ends.Load() == k.ends() && (k.is4() || b.far(p, k))
}

// far is is for the addresses of IPv6.
func (b *body) far(p place, k *key) bool {
	all := b.long.Load()
	if all == nil {
		return false
	}
	x := &(*all)[p]
	return x[0].Load() == k[0] && x[1].Load() == k[1] && x[2].Load() == k[2] && x[3].Load() == k[3]
}

// put makes a flow of what was another, or nothing.
func (b *body) put(p place, k *key, mood uint64, seen tick) {
	x := &b.slots[p]
	version := x.stamp.Load()>>32 | 1
	x.stamp.Store(version << 32)
	store(&x.ends, k.ends())
	store(&x.rest, k[4])
	store(&x.mood, mood)
	if !k.is4() {
		b.keep(p, k)
	}
	x.stamp.Store((version+1)<<32 | uint64(seen))
}

// store stores a word. A store that others see costs more than to look whether it changes anything.
func store(w *atomic.Uint64, x uint64) {
	if w.Load() != x {
		w.Store(x)
	}
}

// keep stores addresses of IPv6. There is no room for them before the first come.
func (b *body) keep(p place, k *key) {
	all := b.long.Load()
	if all == nil {
		fresh := make([]addresses, len(b.slots))
		all = &fresh
		b.long.Store(all)
	}
	x := &(*all)[p]
	for i := range x {
		store(&x[i], k[i])
	}
}

// key is the key of the flow in a slot.
func (b *body) key(p place) (k key) {
	x := &b.slots[p]
	if k[4] = x.rest.Load(); !k.is4() {
		far := &(*b.long.Load())[p]
		for i := range far {
			k[i] = far[i].Load()
		}
		return k
	}
	ends := x.ends.Load()
	k[1], k[3] = filter.Mapped4|ends>>32, filter.Mapped4|ends&math.MaxUint32
	return k
}

func (x *slot) proto() uint8 { return uint8(x.rest.Load() >> 8) }

func (x *slot) state() state { return state(x.mood.Load()) }

func moodOf(epoch uint32, s state) uint64 { return uint64(epoch)<<32 | uint64(s) }
