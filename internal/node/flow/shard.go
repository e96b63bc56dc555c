package flow

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// shards is how many parts a Table has, each with its lock.
const shards = 16

// shard is a hash table in which a flow has its place in one of two buckets, where fewer flows live when it comes. Anybody looks into it while one
// changes it: who meets a change finds nothing, and asks again under the lock.
type shard struct {
	body   atomic.Pointer[body]
	mu     sync.Mutex
	seed   *[5]uint64
	most   int           // buckets
	latest tick          // at which somebody looked last
	ranks  [ranks]uint32 // flows of each, those that have been idle for too long among them

	opened, evicted, expired uint64
	_                        [64]byte // neighbours' locks are on other cache lines
}

// body is the memory of a shard. It is replaced by one of twice the size as flows come, up to most: who looks into the old one meanwhile sees what was
// true a moment ago.
type body struct {
	buckets []bucket                    // a power of 2, from 2 on
	tags    []tags                      // of each bucket
	slots   []slot                      // of bucket i those from i*ways on
	long    atomic.Pointer[[]addresses] // of each slot; nil: no flow of IPv6 has come
}

// place is the index of a slot.
type place uint32

// nowhere is the place of a flow that is not there.
const nowhere = ^place(0)

func newBody(buckets int) *body {
	b := &body{buckets: make([]bucket, buckets), tags: make([]tags, buckets), slots: make([]slot, buckets*ways)}
	for i := range b.buckets {
		for way := range uint32(ways) {
			b.buckets[i].set(way, 0)
			b.slots[uint32(i)*ways+way].stamp.Store(vacant)
		}
	}
	return b
}

func (s *shard) init(flows int, seed *[5]uint64) {
	s.seed = seed
	s.most = max(2, 1<<bits.Len(uint((flows-1)/ways)))
	s.body.Store(newBody(2))
}

// both are the two buckets in which a flow may be. They stay the same two, or become one of each one's halves, when a body has twice as many.
func (b *body) both(hash uint64) (one, two uint32) {
	one = uint32(hash)
	two = one ^ (uint32(hash>>24) | 1)
	last := uint32(len(b.buckets) - 1)
	return one & last, two & last
}

func (b *body) at(p place) *slot { return &b.slots[p] }

func (b *body) of(p place) (*bucket, uint32) { return &b.buckets[p/ways], uint32(p % ways) }

func (s *shard) at(p place) *slot { return s.body.Load().at(p) }

// glimpse returns a flow's mood and tick without a lock. It may miss one that is there.
func (s *shard) glimpse(k *key, hash uint64) (mood uint64, seen tick, ok bool) {
	b := s.body.Load()
	one, two := b.both(hash)
	for m := b.like(one, two, hash); m != 0; m &= m - 1 {
		p := which(m, one, two)
		x := b.at(p)
		stamp := x.stamp.Load()
		if b.is(p, k) {
			mood = x.mood.Load()
			return mood, tick(stamp), stamp&vacant == 0 && x.stamp.Load() == stamp
		}
	}
	return 0, 0, false
}

// like returns a bit for each slot of two buckets that may be a flow's, by its tag.
func (b *body) like(one, two uint32, hash uint64) uint64 {
	tag := tagOf(hash)
	return b.tags[one].like(tag) | b.tags[two].like(tag)>>1
}

// which is the place of the first of such bits. A branch would be mispredicted half of the time, and keep the memory from being asked for the next flow.
func which(m uint64, one, two uint32) place {
	at := uint32(bits.TrailingZeros64(m))
	return place((two^(one^two)&-(at&1))*ways + at/8)
}

// What follows needs the lock.

// look returns the place of a flow, and whether it lives there: it may have been idle for too long. Of one that is nowhere it is the place that it will
// take, or nowhere if none is free.
func (s *shard) look(k *key, hash uint64, now tick) (at place, lives bool) {
	b := s.body.Load()
	one, two := b.both(hash)
	for m := b.like(one, two, hash); m != 0; m &= m - 1 {
		if p := which(m, one, two); b.is(p, k) {
			c, way := b.of(p)
			return p, now < c.end(way)
		}
	}
	return b.free(one, two, now), false
}

// add makes a flow, at the place that look has told.
func (s *shard) add(p place, k *key, hash uint64, now tick, epoch uint32, st state, source uint8) {
	if p == nowhere {
		p = s.room(hash, now, source)
	}
	b := s.body.Load()
	c, way := b.of(p)
	b.put(p, k, moodOf(epoch, st), now)
	if b.tags[p/ways].used(way) {
		s.ranks[c.rank[way]]--
		if now >= c.end(way) {
			s.expired++
		} else {
			s.evicted++
		}
	}
	s.note(c, way, now, st, k.proto())
	c.source[way] = source
	b.tags[p/ways].set(way, tagOf(hash))
}

// free returns a free place in one of two buckets, where there are more of them, or nowhere. It asks the memory for it, so that it comes while the rules
// are asked.
func (b *body) free(one, two uint32, now tick) place {
	free, others := b.buckets[one].free(now), b.buckets[two].free(now)
	more := uint64(int64(bits.OnesCount64(free)-bits.OnesCount64(others)) >> 63) // all bits, if the other has; without a branch to mispredict
	if free ^= (free ^ others) & more; free == 0 {
		return nowhere
	}
	at := place((one^(one^two)&uint32(more))*ways + wayOfFree(free))
	b.at(at).stamp.Load()
	return at
}

// room makes a place free for a flow of a source, where none is.
func (s *shard) room(hash uint64, now tick, source uint8) place {
	for len(s.body.Load().buckets) < s.most {
		s.grow(now)
		b := s.body.Load()
		one, two := b.both(hash)
		if at := b.free(one, two, now); at != nowhere {
			return at
		}
	}
	one, two := s.body.Load().both(hash)
	return s.victim(one, two, source)
}

// update notes a packet of a flow.
func (s *shard) update(p place, now tick, epoch uint32, st state) {
	b := s.body.Load()
	x := b.at(p)
	store(&x.mood, moodOf(epoch, st))
	x.see(now)
	c, way := b.of(p)
	s.ranks[c.rank[way]]--
	s.note(c, way, now, st, x.proto())
}

// note notes what a flow's packet means for how long it is remembered.
func (s *shard) note(c *bucket, way uint32, now tick, st state, proto uint8) {
	rank := st.rank(proto)
	c.set(way, now+st.lasts(proto)+1)
	c.rank[way] = uint8(rank)
	s.ranks[rank]++
}

// grow doubles the memory. Each bucket becomes two, in which each flow keeps its way.
func (s *shard) grow(now tick) {
	old := s.body.Load()
	fresh := newBody(2 * len(old.buckets))
	for i := range old.buckets {
		c := &old.buckets[i]
		for way := range uint32(ways) {
			if !old.tags[i].used(way) {
				continue
			}
			if now >= c.end(way) {
				s.expired++
				s.ranks[c.rank[way]]--
				continue
			}
			from := place(uint32(i)*ways + way)
			k, x := old.key(from), old.at(from)
			hash := k.hash(s.seed)
			one, two := fresh.both(hash)
			if one&uint32(len(old.buckets)-1) != uint32(i) {
				one = two
			}
			fresh.put(place(one*ways+way), &k, x.mood.Load(), tick(x.stamp.Load()))
			d := &fresh.buckets[one]
			d.set(way, c.end(way))
			d.rank[way], d.source[way] = c.rank[way], c.source[way]
			fresh.tags[one].set(way, tagOf(hash))
		}
	}
	s.body.Store(fresh)
}

// flows is how many live.
func (s *shard) flows(now tick) (n int) {
	b := s.body.Load()
	for i := range b.buckets {
		n += ways - bits.OnesCount64(b.buckets[i].free(now))
	}
	return n
}
