package tunnel

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sync/atomic"
)

// address is an IP address in the form that tables are asked with; IPv4 is mapped. Session indices take the same form.
type address struct{ hi, lo uint64 }

const mapped4 = 0xffff << 32

func addressOf(a netip.Addr) address {
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a address) netip() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return netip.AddrFrom16(b).Unmap()
}

// ends returns the source and the destination of an IP packet; false if it is none.
func ends(p []byte) (src, dst address, ok bool) {
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		both := binary.BigEndian.Uint64(p[12:])
		return address{0, mapped4 | both>>32}, address{0, mapped4 | both&0xffffffff}, true
	case len(p) >= 40 && p[0]>>4 == 6:
		return address{binary.BigEndian.Uint64(p[8:]), binary.BigEndian.Uint64(p[16:])},
			address{binary.BigEndian.Uint64(p[24:]), binary.BigEndian.Uint64(p[32:])}, true
	}
	return address{}, address{}, false
}

// table is a hash table for one writer and any number of readers, who never wait: chains are never changed, only replaced.
// A lookup of what is there costs some 5 ns and no allocation.
type table[V any] struct {
	seed    uint64 // so that nobody outside can aim at one chain
	buckets atomic.Pointer[[]atomic.Pointer[link[V]]]
	n       int // the writer's
}

type link[V any] struct {
	key   address
	value V
	next  *link[V]
}

const leastBuckets = 8

func newTable[V any](seed uint64) *table[V] {
	t := &table[V]{seed: seed}
	fresh := make([]atomic.Pointer[link[V]], leastBuckets)
	t.buckets.Store(&fresh)
	return t
}

// slot is the place of a key among n buckets, a power of two.
func (t *table[V]) slot(k address, n int) int {
	hi, lo := bits.Mul64(k.lo^t.seed, k.hi^0x9e3779b97f4a7c15)
	h := (hi ^ lo ^ k.lo) * 0xd6e8feb86659fd93
	return int(h>>32) & (n - 1)
}

// get finds a value.
func (t *table[V]) get(k address) (v V, ok bool) {
	b := *t.buckets.Load()
	for l := b[t.slot(k, len(b))].Load(); l != nil; l = l.next {
		if l.key == k {
			return l.value, true
		}
	}
	return v, false
}

// put sets a value.
func (t *table[V]) put(k address, v V) {
	t.remove(k)
	b := *t.buckets.Load()
	if t.n >= len(b) {
		b = t.resize(2 * len(b))
	}
	head := &b[t.slot(k, len(b))]
	head.Store(&link[V]{k, v, head.Load()})
	t.n++
}

// remove forgets a key; readers that are on their way may still see its value.
func (t *table[V]) remove(k address) {
	b := *t.buckets.Load()
	head := &b[t.slot(k, len(b))]
	first := head.Load()
	for l := first; l != nil; l = l.next {
		if l.key != k {
			continue
		}
		rest := l.next
		for before := first; before != l; before = before.next {
			rest = &link[V]{before.key, before.value, rest}
		}
		head.Store(rest)
		t.n--
		if len(b) > leastBuckets && t.n < len(b)/4 {
			t.resize(len(b) / 2)
		}
		return
	}
}

// resize publishes the same content in n buckets.
func (t *table[V]) resize(n int) []atomic.Pointer[link[V]] {
	fresh := make([]atomic.Pointer[link[V]], n)
	old := *t.buckets.Load()
	for i := range old {
		for l := old[i].Load(); l != nil; l = l.next {
			head := &fresh[t.slot(l.key, n)]
			head.Store(&link[V]{l.key, l.value, head.Load()})
		}
	}
	t.buckets.Store(&fresh)
	return fresh
}
