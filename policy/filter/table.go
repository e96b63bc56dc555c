package filter

import (
	"math/bits"

	"github.com/gaissmai/bart"
)

// side finds the class of an address.
type side struct {
	v4     table[uint32]
	v6     table[Address]
	routed *bart.Fast[uint32] // nil: there are no prefixes
}

func newSide(places []Place) side {
	var n4, n6 int
	for _, p := range places {
		switch {
		case !p.Prefix.IsSingleIP():
		case p.Prefix.Addr().Is4():
			n4++
		default:
			n6++
		}
	}
	s := side{v4: newTable(n4, hash4), v6: newTable(n6, hash6)}
	for _, p := range places {
		switch a := p.Prefix.Addr(); {
		case !p.Prefix.IsSingleIP():
			if s.routed == nil {
				s.routed = new(bart.Fast[uint32])
			}
			s.routed.Insert(p.Prefix.Masked(), p.Class)
		case a.Is4():
			s.v4.put(uint32(AddressOf(a).Lo), p.Class)
		default:
			s.v6.put(AddressOf(a), p.Class)
		}
	}
	return s
}

// class returns the class of an address.
func (s *side) class(a Address) (uint32, bool) {
	if a.Is4() {
		if c, ok := find4(&s.v4, uint32(a.Lo)); ok {
			return c, true
		}
	} else if c, ok := find6(&s.v6, a); ok {
		return c, true
	}
	if s.routed == nil {
		return 0, false
	}
	return s.routed.Lookup(a.Netip())
}

func hash4(k uint32) uint64 { return uint64(k) * 0x9e3779b97f4a7c15 }

func hash6(k Address) uint64 {
	hi, lo := bits.Mul64(k.Hi^0x9e3779b97f4a7c15, k.Lo^0xe7037ed1a0b428db)
	return (hi ^ lo) * 0x9e3779b97f4a7c15
}

// find4 and find6 name the hash, so that the compiler can put it in place.
func find4(t *table[uint32], k uint32) (uint32, bool) { return t.find(k, hash4(k)>>t.shift) }

func find6(t *table[Address], k Address) (uint32, bool) { return t.find(k, hash6(k)>>t.shift) }

// table is an open-addressed map that is at most two thirds full and never changes once it is built.
type table[K comparable] struct {
	slots []slot[K]
	shift uint8 // from a hash to an index
	hash  func(K) uint64
}

type slot[K comparable] struct {
	key   K
	class uint32 // 1 higher; 0 is an empty slot
}

func newTable[K comparable](n int, hash func(K) uint64) table[K] {
	width := uint8(bits.Len(uint(n + n/2 + 1)))
	return table[K]{slots: make([]slot[K], 1<<width), shift: 64 - width, hash: hash}
}

func (t *table[K]) put(k K, class uint32) {
	i := t.hash(k) >> t.shift
	for t.slots[i].class != 0 && t.slots[i].key != k {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	t.slots[i] = slot[K]{k, class + 1}
}

// find goes on from slot i. It ends because the table has empty slots.
func (t *table[K]) find(k K, i uint64) (uint32, bool) {
	for {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.class == 0 {
			return 0, false
		}
		if s.key == k {
			return s.class - 1, true
		}
		i++
	}
}
