package compile

import (
	"iter"
	"math/bits"
)

// set is a set of small numbers. Bits beyond its length are not in it.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) has(i int) bool { return i>>6 < len(s) && s[i>>6]&(1<<(i&63)) != 0 }

// add puts i into the set and returns it, longer if need be.
func (s set) add(i int) set {
	for i>>6 >= len(s) {
		s = append(s, 0)
	}
	s[i>>6] |= 1 << (i & 63)
	return s
}

// or adds all of t.
func (s set) or(t set) set {
	for len(s) < len(t) {
		s = append(s, 0)
	}
	for i, w := range t {
		s[i] |= w
	}
	return s
}

// meets reports whether some number is in both.
func (s set) meets(t set) bool {
	for i := range min(len(s), len(t)) {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}

// all goes through the numbers upwards.
func (s set) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// key is the set as a map's key: the same for equal sets of whatever length.
func (s set) key(buf []byte) []byte {
	for len(s) > 0 && s[len(s)-1] == 0 {
		s = s[:len(s)-1]
	}
	for _, w := range s {
		for range 8 {
			buf = append(buf, byte(w))
			w >>= 8
		}
	}
	return buf
}
