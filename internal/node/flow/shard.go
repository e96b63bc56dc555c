package flow

import (
	"math"
	"sync"
	"sync/atomic"
)

// shards is how many parts a Table has, each with its lock.
const shards = 16

// slot is one flow, a cache line. Who holds the shard's lock writes it; anybody reads it, and looks at stamp before and after. A
// version is odd while there is no flow, or while it is being written. Stores are what costs most of a new flow, so they are few.
type slot struct {
	key   [5]atomic.Uint64
	mood  atomic.Uint64 // epoch<<32 | state
	stamp atomic.Uint64 // version<<32 | tick of the last packet, or up to fresh ticks before it
	next  atomic.Uint32 // in the chain
	_     uint32
}

// shard is a hash table whose chains anybody follows while one changes them: who meets a change finds nothing, and asks again under the lock.
// A slot is named by its index and 1; 0 is none.
type shard struct {
	body  atomic.Pointer[body]
	mu    sync.Mutex
	most  int // slots
	cards []card
	ranks [ranks]list
	spare uint32 // first of those that were given back, linked by newer
	taken uint32 // slots that were ever used
	shares

	opened, evicted, expired uint64
	_                        [64]byte // neighbours' locks are on other cache lines
}

// body is the memory of a shard that is read without its lock. It is replaced by a larger one as flows come, up to most: who reads the old one
// meanwhile sees what was true a moment ago.
type body struct {
	index []atomic.Uint32 // of each chain the first, and marks; a power of 2, twice as many as slots
	slots []slot
}

// A chain's marks say which eighths of all hashes were ever on it since it was empty: for seven in eight of those who are not, no slot is read.
const (
	nameBits = 24
	names    = 1<<nameBits - 1
)

func mark(hash uint32) uint32 { return 1 << (nameBits + hash>>29) }

// card is what only who holds the lock needs to know of a flow: to forget it, its slot need not be read.
type card struct {
	older, newer uint32 // in the list of its rank
	hash         uint32 // the lower half
	until        tick   // when it has been idle for too long
	rank, source uint8
}

// ranks are the lists by state.rank, each from the flow that has been idle longest on.
const ranks = 3

type list struct{ oldest, newest, n uint32 }

// firstSlots is how many slots a shard begins with.
const firstSlots = 32

func newBody(slots int) *body {
	chains := 1
	for chains < 2*slots {
		chains *= 2
	}
	return &body{make([]atomic.Uint32, chains), make([]slot, slots)}
}

func (s *shard) init(most int) {
	s.most = min(most, names)
	s.cards = make([]card, min(s.most, firstSlots))
	s.body.Store(newBody(len(s.cards)))
}

// at is a slot by its name.
func (b *body) at(name uint32) *slot { return &b.slots[name-1] }

func (b *body) chain(hash uint32) *atomic.Uint32 { return &b.index[hash&uint32(len(b.index)-1)] }

// first is the first slot of the chain on which a hash may be.
func (b *body) first(hash uint32) (name uint32) {
	if head := b.chain(hash).Load(); head&mark(hash) != 0 {
		return head & names
	}
	return 0
}

// link puts a slot before its chain.
func (b *body) link(name, hash uint32) {
	head := b.chain(hash)
	old := head.Load()
	if next := &b.at(name).next; next.Load() != old&names {
		next.Store(old & names)
	}
	head.Store(old&^names | mark(hash) | name)
}

// unlink takes a slot out of its chain. Who stands on it goes on along the chain.
func (b *body) unlink(name, hash uint32) {
	head, next := b.chain(hash), b.at(name).next.Load()
	switch old := head.Load(); {
	case old&names != name:
		at := &b.at(old & names).next
		for at.Load() != name {
			at = &b.at(at.Load()).next
		}
		at.Store(next)
	case next == 0:
		head.Store(0)
	default:
		head.Store(old&^names | next)
	}
}

func (s *shard) at(name uint32) *slot { return s.body.Load().at(name) }

// longest is how many slots of a chain are looked at without the lock.
const longest = 32

// glimpse returns a flow's mood and tick without a lock. It may miss one that is there.
func (s *shard) glimpse(k *key, hash uint64) (mood uint64, seen tick, ok bool) {
	b := s.body.Load()
	name := b.first(uint32(hash))
	for range longest {
		if name == 0 {
			break
		}
		x := b.at(name)
		stamp := x.stamp.Load()
		if x.is(k) {
			mood = x.mood.Load()
			return mood, tick(stamp), stamp&vacant == 0 && x.stamp.Load() == stamp
		}
		name = x.next.Load()
	}
	return 0, 0, false
}

const vacant = 1 << 32 // the bit of a stamp that makes its version odd

func (x *slot) vacant() bool { return x.stamp.Load()&vacant != 0 }

func (x *slot) seen() tick { return tick(x.stamp.Load()) }

// see notes when a flow's last packet came.
func (x *slot) see(now tick) {
	if old := x.stamp.Load(); tick(old) != now {
		x.stamp.Store(old&^math.MaxUint32 | uint64(now))
	}
}

// turn begins another version: one without a flow, or with one that is seen now.
func (x *slot) turn(now tick) { x.stamp.Store((x.stamp.Load()>>32+1)<<32 | uint64(now)) }

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

// What follows needs the lock.

// foresee asks the memory for what it will take to forget the next flow of a rank, so that it comes while others have their turn: lines that no cache
// holds are most of what a new flow costs in a full table.
func (s *shard) foresee(rank uint8) {
	if name := s.ranks[rank].oldest; name != 0 {
		b := s.body.Load()
		b.at(name).stamp.Load()
		b.chain(s.cards[name-1].hash).Load()
	}
}

// find returns a flow by name, unless it has been idle for too long: then it is forgotten.
func (s *shard) find(k *key, hash uint64, now tick) uint32 {
	b := s.body.Load()
	for name := b.first(uint32(hash)); name != 0; name = b.at(name).next.Load() {
		if !b.at(name).is(k) {
			continue
		}
		if s.stale(name, now) {
			s.expired++
			s.remove(name)
			return 0
		}
		return name
	}
	return 0
}

func (s *shard) stale(name uint32, now tick) bool { return int32(now-s.cards[name-1].until) > 0 }

// add makes a flow, if need be in place of another.
func (s *shard) add(k *key, hash uint64, now tick, epoch uint32, st state, source uint8) {
	s.tidy(now)
	name := s.vacate(source)
	b := s.body.Load()
	x := b.at(name)
	x.keep(k)
	x.set(epoch, st)
	x.turn(now)
	b.link(name, uint32(hash))
	s.cards[name-1] = card{hash: uint32(hash), until: now + st.lasts(k.proto()), source: source}
	s.held[source]++
	s.push(name, st.rank(k.proto()))
	s.restrain(source)
}

// update notes a packet of a flow.
func (s *shard) update(name uint32, now tick, epoch uint32, st state) {
	x, c := s.at(name), &s.cards[name-1]
	proto := uint8(x.key[4].Load() >> 8)
	s.pull(name)
	x.set(epoch, st)
	x.see(now)
	c.until = now + st.lasts(proto)
	s.push(name, st.rank(proto))
	s.restrain(c.source)
}

// tidy forgets what has been idle for too long, so much more than comes that the memory of a crowd that has gone is soon left alone: then the few
// that are in use stay in the cache.
func (s *shard) tidy(now tick) {
	for rank := range s.ranks {
		for range 2 {
			name := s.ranks[rank].oldest
			if name == 0 || !s.stale(name, now) {
				break
			}
			s.expired++
			s.remove(name)
		}
	}
}

// restrain keeps an eighth of the room for flows that are not settled, and of the rest as much for those that are not TCP.
func (s *shard) restrain(source uint8) {
	eighth := uint32(max(1, s.most/8))
	for s.ranks[1].n+s.ranks[2].n > uint32(s.most)-eighth {
		if s.ranks[1].n > eighth {
			s.evict(1, source)
		} else {
			s.evict(2, source)
		}
	}
}

// vacate returns a free slot, with an odd version.
func (s *shard) vacate(source uint8) uint32 {
	if s.spare == 0 && int(s.taken) < s.most {
		if int(s.taken) == len(s.cards) {
			s.grow()
		}
		s.taken++
		s.at(s.taken).stamp.Store(vacant)
		return s.taken
	}
	if s.spare == 0 {
		s.evict(0, source)
	}
	name := s.spare
	s.spare = s.cards[name-1].newer
	return name
}

// grow doubles the memory. Flows keep their names.
func (s *shard) grow() {
	old, fresh := s.body.Load(), newBody(min(2*len(s.cards), s.most))
	cards := make([]card, len(fresh.slots))
	copy(cards, s.cards)
	for i := range old.slots[:s.taken] {
		x, y := &old.slots[i], &fresh.slots[i]
		if x.vacant() {
			y.stamp.Store(vacant)
			continue
		}
		k := x.load()
		y.keep(&k)
		y.mood.Store(x.mood.Load())
		y.see(x.seen())
		fresh.link(uint32(i+1), cards[i].hash)
	}
	s.cards = cards
	s.body.Store(fresh)
}

// evict forgets the flow of the least rank from one on that has been idle longest, or one of the newcomer's source if that has more than
// its share.
func (s *shard) evict(rank int, source uint8) {
	for ; rank < ranks; rank++ {
		if name := s.ranks[rank].oldest; name != 0 {
			if s.cards[name-1].source != source {
				name = s.own(name, rank, source)
			}
			s.evicted++
			s.remove(name)
			return
		}
	}
}

// less reports whether one flow goes before another.
func (s *shard) less(a, b uint32) bool {
	x, y := &s.cards[a-1], &s.cards[b-1]
	return x.rank < y.rank || x.rank == y.rank && int32(x.until-y.until) < 0
}

// remove takes a flow out of its chain and its list.
func (s *shard) remove(name uint32) {
	b, c := s.body.Load(), &s.cards[name-1]
	b.unlink(name, c.hash)
	b.at(name).turn(0)
	s.pull(name)
	s.held[c.source]--
	c.newer = s.spare
	s.spare = name
	s.foresee(c.rank)
}

// push puts a flow at the young end of a list.
func (s *shard) push(name uint32, rank int) {
	l, c := &s.ranks[rank], &s.cards[name-1]
	c.older, c.newer, c.rank = l.newest, 0, uint8(rank)
	if l.newest != 0 {
		s.cards[l.newest-1].newer = name
	} else {
		l.oldest = name
	}
	l.newest = name
	l.n++
}

// pull takes a flow out of its list.
func (s *shard) pull(name uint32) {
	c := s.cards[name-1]
	l := &s.ranks[c.rank]
	if c.older != 0 {
		s.cards[c.older-1].newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != 0 {
		s.cards[c.newer-1].older = c.older
	} else {
		l.newest = c.older
	}
	l.n--
}
