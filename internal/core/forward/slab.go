package forward

import (
	"math/bits"

	"github.com/cvlan/cvlan/proto/relay"
)

// slabSize is how many records are made at a time.
const slabSize = 256

// slab is an array that grows without moving.
type slab[T any] struct{ chunks []*[slabSize]T }

// at returns record i, or nil if there never was one so far behind.
func (s *slab[T]) at(i uint32) *T {
	if i/slabSize >= uint32(len(s.chunks)) {
		return nil
	}
	return &s.chunks[i/slabSize][i%slabSize]
}

// grow returns record i.
func (s *slab[T]) grow(i uint32) *T {
	for i/slabSize >= uint32(len(s.chunks)) {
		s.chunks = append(s.chunks, new([slabSize]T))
	}
	return s.at(i)
}

// slots finds the slot in a number: its low bits. What is above tells successive owners of a slot apart.
type slots struct{ clientBits, laneBits uint8 }

func (s slots) client(n relay.Number) uint32 { return uint32(n) & (1<<s.clientBits - 1) }
func (s slots) lane(n relay.Number) uint32   { return uint32(n) & (1<<s.laneBits - 1) }

// room is how many bits a slot below n takes.
func room(n int) uint8 { return uint8(bits.Len32(uint32(n - 1))) }

// successor is the number after old in the same slot; never zero.
func successor(old relay.Number, width uint8) relay.Number {
	if n := old + 1<<width; n != 0 {
		return n
	}
	return 1 << width
}
