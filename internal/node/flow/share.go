package flow

import "math"

// A source is who is at the other end of a flow, by its address: 8 bits of a hash with the Table's secret. Two addresses in 256 share one.
func (k *key) source(seed *[5]uint64) uint8 { return uint8(mix(k[2]^seed[3], k[3]^seed[4])) }

// share is how many of the flows of two full buckets a source may have before it makes room of its own: a quarter.
const share = 2 * ways / 4

// victim returns the place of the flow that makes room for one of a source, where two buckets are full: of a source that has more than its share one
// of its own, else of all the one that goes first, and of those the one that has been idle longest.
func (s *shard) victim(one, two uint32, source uint8) place {
	b, turns := s.body.Load(), s.turns()
	all, own, owned := nowhere, nowhere, 0
	least, least2 := uint64(math.MaxUint64), uint64(math.MaxUint64)
	for _, i := range [2]uint32{one, two} {
		c := &b.buckets[i]
		for way := range uint32(ways) {
			cost := turns[c.rank[way]]<<32 | uint64(c.end(way))
			if cost < least {
				all, least = place(i*ways+way), cost
			}
			if c.source[way] != source {
				continue
			}
			owned++
			if cost < least2 {
				own, least2 = place(i*ways+way), cost
			}
		}
	}
	if owned > share {
		return own
	}
	return all
}

// turns says of each rank when it goes. An eighth of the room is for flows that are not settled, and as much for those that are not TCP: while they have
// fewer they go after all others.
func (s *shard) turns() [ranks]uint64 {
	turns := [ranks]uint64{0, 1, 2}
	for rank := range turns[:ranks-1] {
		if int(s.ranks[rank]) <= s.most*ways/8 {
			turns[rank] += ranks
		}
	}
	return turns
}
