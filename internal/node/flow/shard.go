package flow

import (
	"sync"
	"sync/atomic"
)

// shards is how many parts a Table has, each with its lock.
const shards = 16

// slot is one flow, a cache line. Who holds the shard's lock writes it; anybody reads it, and looks at version before and after.
type slot struct {
	key     [5]atomic.Uint64
	mood    atomic.Uint64 // epoch<<32 | state
	version atomic.Uint32 // odd while the key is being written
	seen    atomic.Uint32 // tick of the last packet, or up to fresh ticks before it
	next    atomic.Uint32 // in the chain, or among those that are free
	_       uint32
}

// shard is a hash table whose chains anybody follows while one changes them: who meets a change finds nothing, and asks again under the lock.
// A slot is named by its index and 1; 0 is none.
type shard struct {
	body  atomic.Pointer[body]
	mu    sync.Mutex
	most  int // slots
	links []link
	ranks [ranks]list
	spare uint32 // first of those that were given back
	taken uint32 // slots that were ever used
	turn  int    // whose oldest was looked at last

	evicted, expired uint64
	_                [64]byte // neighbours' locks are on other cache lines
}

// body is the memory of a shard. It is replaced by a larger one as flows come, up to most: who reads the old one meanwhile sees what was true
// a moment ago.
type body struct {
	index []atomic.Uint32 // first of each chain; a power of 2, twice as many as slots
	slots []slot
}

// ranks are the lists by state.rank, each from the flow that has been idle longest on.
const ranks = 3

type list struct{ oldest, newest, n uint32 }

type link struct{ older, newer uint32 }

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
	s.most = most
	s.links = make([]link, min(most, firstSlots))
	s.body.Store(newBody(len(s.links)))
}

// at is a slot by its name.
func (b *body) at(name uint32) *slot { return &b.slots[name-1] }

func (b *body) chain(hash uint64) *atomic.Uint32 { return &b.index[hash&uint64(len(b.index)-1)] }

func (s *shard) at(name uint32) *slot { return s.body.Load().at(name) }

func (s *shard) chain(hash uint64) *atomic.Uint32 { return s.body.Load().chain(hash) }

// longest is how many slots of a chain are looked at without the lock.
const longest = 32

// glimpse returns a flow's mood and tick without a lock. It may miss one that is there.
func (s *shard) glimpse(k *key, hash uint64) (mood uint64, seen tick, ok bool) {
	b := s.body.Load()
	name := b.chain(hash).Load()
	for range longest {
		if name == 0 {
			break
		}
		x := b.at(name)
		version := x.version.Load()
		if x.is(k) {
			mood, seen = x.mood.Load(), tick(x.seen.Load())
			return mood, seen, version&1 == 0 && x.version.Load() == version
		}
		name = x.next.Load()
	}
	return 0, 0, false
}

func (x *slot) is(k *key) bool {
	return x.key[4].Load() == k[4] && x.key[3].Load() == k[3] && x.key[1].Load() == k[1] && x.key[2].Load() == k[2] && x.key[0].Load() == k[0]
}

func (x *slot) load() (k key) {
	for i := range k {
		k[i] = x.key[i].Load()
	}
	return k
}

func (x *slot) state() state { return state(x.mood.Load()) }

func (x *slot) set(epoch uint32, s state) { x.mood.Store(uint64(epoch)<<32 | uint64(s)) }

// What follows needs the lock.

// find returns a flow by name, unless it has been idle for too long: then it is forgotten.
func (s *shard) find(k *key, hash uint64, now tick) uint32 {
	for name := s.chain(hash).Load(); name != 0; name = s.at(name).next.Load() {
		if !s.at(name).is(k) {
			continue
		}
		if s.stale(name, now) {
			s.expired++
			s.remove(name, hash)
			return 0
		}
		return name
	}
	return 0
}

func (s *shard) stale(name uint32, now tick) bool {
	x := s.at(name)
	return int32(now-tick(x.seen.Load())) > int32(x.state().lasts(uint8(x.key[4].Load()>>8)))
}

// add makes a flow, if need be in place of another.
func (s *shard) add(t *Table, k *key, hash uint64, now tick, epoch uint32, st state) {
	s.tidy(t, now)
	name := s.vacate(t)
	x := s.at(name)
	x.version.Add(1)
	for i := range k {
		x.key[i].Store(k[i])
	}
	x.set(epoch, st)
	x.seen.Store(uint32(now))
	x.version.Add(1)
	head := s.chain(hash)
	x.next.Store(head.Load())
	head.Store(name)
	s.push(name, st.rank(k.proto()))
	s.restrain(t)
}

// update notes a packet of a flow.
func (s *shard) update(t *Table, name uint32, now tick, epoch uint32, st state) {
	x := s.at(name)
	proto := uint8(x.key[4].Load() >> 8)
	s.pull(name, x.state().rank(proto))
	x.set(epoch, st)
	x.seen.Store(uint32(now))
	s.push(name, st.rank(proto))
	s.restrain(t)
}

// tidy forgets what has been idle for too long, one of each list in turn.
func (s *shard) tidy(t *Table, now tick) {
	s.turn = (s.turn + 1) % ranks
	if name := s.ranks[s.turn].oldest; name != 0 && s.stale(name, now) {
		s.expired++
		s.forget(t, name)
	}
}

// restrain keeps an eighth of the room for flows that are not settled, and of the rest as much for those that are not TCP.
func (s *shard) restrain(t *Table) {
	eighth := uint32(max(1, s.most/8))
	for s.ranks[1].n+s.ranks[2].n > uint32(s.most)-eighth {
		if s.ranks[1].n > eighth {
			s.evict(t, 1)
		} else {
			s.evict(t, 2)
		}
	}
}

// vacate returns a free slot.
func (s *shard) vacate(t *Table) uint32 {
	if s.spare == 0 && int(s.taken) < s.most {
		if int(s.taken) == len(s.links) {
			s.grow(t)
		}
		s.taken++
		return s.taken
	}
	if s.spare == 0 {
		s.evict(t, 0)
	}
	name := s.spare
	s.spare = s.at(name).next.Load()
	return name
}

// grow doubles the memory while every slot of it has a flow. Flows keep their names.
func (s *shard) grow(t *Table) {
	old, fresh := s.body.Load(), newBody(min(2*len(s.links), s.most))
	for i := range old.slots {
		x, y := &old.slots[i], &fresh.slots[i]
		k := x.load()
		for j := range k {
			y.key[j].Store(k[j])
		}
		y.mood.Store(x.mood.Load())
		y.seen.Store(x.seen.Load())
		head := fresh.chain(k.hash(&t.seed))
		y.next.Store(head.Load())
		head.Store(uint32(i + 1))
	}
	links := make([]link, len(fresh.slots))
	copy(links, s.links)
	s.links = links
	s.body.Store(fresh)
}

// evict forgets the oldest flow of the least rank from one on.
func (s *shard) evict(t *Table, rank int) {
	for ; rank < ranks; rank++ {
		if name := s.ranks[rank].oldest; name != 0 {
			s.evicted++
			s.forget(t, name)
			return
		}
	}
}

func (s *shard) forget(t *Table, name uint32) {
	k := s.at(name).load()
	s.remove(name, k.hash(&t.seed))
}

// remove takes a flow out of its chain and its list.
func (s *shard) remove(name uint32, hash uint64) {
	x := s.at(name)
	next := x.next.Load()
	for at := s.chain(hash); ; at = &s.at(at.Load()).next {
		if at.Load() == name {
			at.Store(next)
			break
		}
	}
	s.pull(name, x.state().rank(uint8(x.key[4].Load()>>8)))
	x.version.Add(1)
	x.key[4].Store(0) // no flow's: a reader on its way finds nothing
	x.version.Add(1)
	x.next.Store(s.spare)
	s.spare = name
}

// push puts a flow at the young end of a list.
func (s *shard) push(name uint32, rank int) {
	l := &s.ranks[rank]
	s.links[name-1] = link{older: l.newest}
	if l.newest != 0 {
		s.links[l.newest-1].newer = name
	} else {
		l.oldest = name
	}
	l.newest = name
	l.n++
}

// pull takes a flow out of a list.
func (s *shard) pull(name uint32, rank int) {
	l, x := &s.ranks[rank], s.links[name-1]
	if x.older != 0 {
		s.links[x.older-1].newer = x.newer
	} else {
		l.oldest = x.newer
	}
	if x.newer != 0 {
		s.links[x.newer-1].older = x.older
	} else {
		l.newest = x.older
	}
	l.n--
}
