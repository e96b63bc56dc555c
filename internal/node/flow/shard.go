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
	buckets []bucket // a power of 2, from 2 on
	tags    []tags   // of each bucket
	slots   []slot   // of bucket i those from i*ways on
}

// place is the index of a slot.
type place uint32

// nowhere is the place of a flow that is not there.
const nowhere = ^place(0)

func newBody(buckets int) *body {
	b := &body{make([]bucket, buckets), make([]tags, buckets), make([]slot, buckets*ways)}
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
		x := b.at(which(m, one, two))
		stamp := x.stamp.Load()
		if x.is(k) {
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

// look returns the place of a flow, and whether it lives there: it may have been idle for too long.
func (s *shard) look(k *key, hash uint64, now tick) (p place, lives bool) {
	b := s.body.Load()
	one, two := b.both(hash)
	for m := b.like(one, two, hash); m != 0; m &= m - 1 {
		if p = which(m, one, two); b.at(p).is(k) {
			c, way := b.of(p)
			return p, now < c.end(way)
		}
	}
	return nowhere, false
}

// add makes a flow, at a place where it was once, or nowhere yet.
func (s *shard) add(p place, k *key, hash uint64, now tick, epoch uint32, st state, source uint8) {
	if p == nowhere {
		p = s.room(hash, now, source)
	}
	b := s.body.Load()
	c, way := b.of(p)
	b.at(p).fill(k, now, epoch, st)
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

// expect returns the place that a flow will take which comes: the one where it was, or nowhere if none is free. It asks the memory for that place,
// so that it comes while the rules are asked.
func (s *shard) expect(at place, hash uint64, now tick) place {
	b := s.body.Load()
	if at == nowhere {
		one, two := b.both(hash)
		free, others := b.buckets[one].free(now), b.buckets[two].free(now)
		more := uint64(int64(bits.OnesCount64(free)-bits.OnesCount64(others)) >> 63) // all bits, if the other has; without a branch to mispredict
		if free ^= (free ^ others) & more; free == 0 {
			return nowhere
		}
		at = place((one^(one^two)&uint32(more))*ways + wayOfFree(free))
	}
	b.at(at).stamp.Load()
	return at
}

// room makes a place free for a flow of a source, where none is.
func (s *shard) room(hash uint64, now tick, source uint8) place {
	for len(s.body.Load().buckets) < s.most {
		s.grow(now)
		if at := s.expect(nowhere, hash, now); at != nowhere {
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
	x.set(epoch, st)
	x.see(now)
	c, way := b.of(p)
	s.ranks[c.rank[way]]--
	s.note(c, way, now, st, uint8(x.key[4].Load()>>8))
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
			k := old.at(from).load()
			hash := k.hash(s.seed)
			one, two := fresh.both(hash)
			if one&uint32(len(old.buckets)-1) != uint32(i) {
				one = two
			}
			x := fresh.at(place(one*ways + way))
			x.keep(&k)
			x.mood.Store(old.at(from).mood.Load())
			x.stamp.Store(old.at(from).stamp.Load())
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
