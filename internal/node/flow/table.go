package flow

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/policy/filter"
)

// Config bounds a Table. The zero Config is useful.
type Config struct {
	Flows int // for how many there is room, 41 bytes each or 73 of IPv6, rounded up to a power of two; 0: DefaultFlows
}

// DefaultFlows is for how many flows a Table has room, unless Config says otherwise: 3 MB once they have come, or 5.
const DefaultFlows = 1 << 16

// Table decides about packets and remembers what it has allowed. Any number of goroutines may use it at once.
type Table struct {
	rules     atomic.Pointer[rules]
	seed      [5]uint64
	shards    [shards]shard
	fragments fragments
	tally     tally
	log       denials
}

// Notice is for how long after Swap packets still come by another protocol than IPsec from peers that have not heard yet that it is needed now.
const Notice = time.Second

// rules are a Set in force.
type rules struct {
	set    *filter.Set
	epoch  uint32 // how many Sets there were before
	usage  usage
	only   bool        // some pair talks through IPsec only
	before *filter.Set // for Notice: what came by another protocol passes if this let it, and set wants no more than IPsec; nil: not
}

// New makes a Table without rules: it lets nothing pass until Swap.
func New(c Config) *Table {
	if c.Flows <= 0 {
		c.Flows = DefaultFlows
	}
	t := &Table{}
	for i := range t.seed {
		t.seed[i] = rand.Uint64()
	}
	for i := range t.shards {
		t.shards[i].init((c.Flows+shards-1)/shards, &t.seed)
	}
	t.rules.Store(&rules{})
	return t
}

// Swap puts other rules in force. Each flow is judged by them at its next packet. nil lets nothing pass. Counters of rules go on while Sets
// have the same generation, that is, while their rules are numbered by the same document. What needs IPsec from now on still passes for Notice if it
// comes by another protocol.
func (t *Table) Swap(set *filter.Set) {
	for {
		old := t.rules.Load()
		r := &rules{set: set, epoch: old.epoch + 1, usage: usageOf(set, old), only: set != nil && set.NeedsIPsec()}
		if r.only {
			r.before = cmp.Or(old.before, old.set)
		}
		if !t.rules.CompareAndSwap(old, r) {
			continue
		}
		if r.before != old.before && r.before != nil {
			time.AfterFunc(Notice, func() { t.insist(r.before) })
		}
		return
	}
}

// insist forgets what was in force before the rules that are, if that is before.
func (t *Table) insist(before *filter.Set) {
	for {
		r := t.rules.Load()
		if r.before != before {
			return
		}
		strict := *r
		strict.before = nil
		if t.rules.CompareAndSwap(r, &strict) {
			return
		}
	}
}

// Set returns the rules in force; nil: there are none.
func (t *Table) Set() *filter.Set { return t.rules.Load().set }

// In decides about a packet from the network, or about a train of size bytes of which head is the beginning, with all headers. ipsec says
// whether it came by IPsec.
func (t *Table) In(now mono.Time, head []byte, size int, ipsec bool) bool {
	return t.pass(now, false, head, size, ipsec)
}

// Out is In for a packet to the network.
func (t *Table) Out(now mono.Time, head []byte, size int, ipsec bool) bool {
	return t.pass(now, true, head, size, ipsec)
}

// pass lets plain packets of settled flows pass at once, and has all others judged.
func (t *Table) pass(now mono.Time, out bool, head []byte, size int, ipsec bool) bool {
	r := t.rules.Load()
	var k key
	var hash uint64
	flags, plain := glance(head, size, out, &k)
	if plain {
		hash = k.hash(&t.seed)
	}
	bare := r.only && !ipsec
	if plain && !bare && quiet(k.proto(), flags) {
		if mood, seen, ok := t.shard(hash).glimpse(&k, hash); ok && uint32(mood>>32) == r.epoch && tickOf(now)-seen < fresh {
			if s := state(mood); s&cut == 0 && (s.phase() >= settled || k.proto() != filter.TCP && s.by(out)) {
				return true
			}
		}
	}
	var q question // not as one value, which would be made twice
	q.t, q.r, q.now, q.hash, q.rule = t, r, tickOf(now), hash, filter.Nobody
	q.out, q.ipsec, q.bare, q.plain, q.flags = out, ipsec, bare, plain, flags
	if plain && r.set != nil { // neither a fragment nor ICMP
		reason := q.segment(&k)
		if reason == filter.Allowed {
			return true
		}
		q.p.ParsePlain(head)
		t.deny(&q, reason)
		return false
	}
	return q.judge(head, size, &k)
}

func (t *Table) shard(hash uint64) *shard { return &t.shards[hash>>(64-bits.Len(shards-1))] }

// Unfiltered implements tunnel.Unfiltered.
func (t *Table) Unfiltered(ours, theirs netip.Addr) (protocols []uint8, ok bool) {
	set := t.Set()
	if set == nil {
		return nil, false
	}
	return set.Unfiltered(ours, theirs)
}
