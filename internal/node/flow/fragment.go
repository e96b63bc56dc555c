package flow

import (
	"sync"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

const (
	pails     = 128 // of pailSize fragmented packets each
	pailSize  = 8
	mostSpans = 8 // pieces with gaps between them
)

// assembly is for how long the other fragments of a packet may come (RFC 791 says 15 s, RFC 8200 60 s, Linux waits for 30).
var assembly = ticks(30 * time.Second)

// fragments are the packets whose first fragment was allowed. 100 KB once all are used.
type fragments struct{ pails [pails]pail }

type pail struct {
	mu     sync.Mutex
	next   uint32   // whose place is taken next, modulo pailSize
	pieces []pieces // none until there are fragments, then pailSize
}

// pieces are what has passed of one packet.
type pieces struct {
	key   key
	epoch uint32
	since tick // 0: none
	n     int
	spans [mostSpans]span // sorted, with gaps between them
}

type span struct{ from, to uint16 } // bytes, to excluded

// fragmentKey names a fragmented packet: in IPv6 without the protocol, which later fragments do not tell.
func fragmentKey(q *question) key {
	k := key{q.p.Src.Hi, q.p.Src.Lo, q.p.Dst.Hi, q.p.Dst.Lo, uint64(q.p.ID) << 32}
	if q.p.Src.Is4() {
		k[4] |= uint64(q.p.Proto) << 8
	}
	if q.out {
		k[4] |= 1
	}
	return k
}

func (f *fragments) pail(t *Table, k *key) *pail { return &f.pails[k.hash(&t.seed)%pails] }

// begin notes a first fragment that was allowed, in place of an earlier one of the same name or of the one that came first.
func (f *fragments) begin(q *question) {
	k := fragmentKey(q)
	b := f.pail(q.t, &k)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pieces == nil {
		b.pieces = make([]pieces, pailSize)
	}
	x := b.find(&k)
	if x == nil {
		x = &b.pieces[b.next%pailSize]
		b.next++
	}
	*x = pieces{key: k, epoch: q.r.epoch, since: max(q.now, 1), n: 1}
	x.spans[0] = span{q.p.From, q.p.To}
}

// follow decides about a later fragment; known is false if its first has not been seen.
func (f *fragments) follow(q *question) (reason filter.Reason, known bool) {
	k := fragmentKey(q)
	b := f.pail(q.t, &k)
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.find(&k)
	if x == nil || x.epoch != q.r.epoch || q.now-x.since > assembly {
		return 0, false
	}
	if !x.take(span{q.p.From, q.p.To}) {
		return filter.OverlapFragment, true
	}
	return filter.Allowed, true
}

func (b *pail) find(k *key) *pieces {
	for i := range b.pieces {
		if x := &b.pieces[i]; x.since != 0 && x.key == *k {
			return x
		}
	}
	return nil
}

// take notes a piece. It is false if it overlaps another, or if there would be too many gaps.
func (x *pieces) take(s span) bool {
	i := 0
	for i < x.n && x.spans[i].to < s.from {
		i++
	}
	// The piece before the gap at i is out of reach; i may touch it from below, and i+1 from above.
	joinsBelow := i < x.n && x.spans[i].to == s.from
	above := i
	if joinsBelow {
		above++
	}
	if above < x.n && x.spans[above].from < s.to {
		return false
	}
	joinsAbove := above < x.n && x.spans[above].from == s.to
	switch {
	case joinsBelow && joinsAbove:
		x.spans[i].to = x.spans[above].to
		copy(x.spans[above:], x.spans[above+1:x.n])
		x.n--
	case joinsBelow:
		x.spans[i].to = s.to
	case joinsAbove:
		x.spans[above].from = s.from
	case x.n == mostSpans:
		return false
	default:
		copy(x.spans[i+1:], x.spans[i:x.n])
		x.spans[i] = s
		x.n++
	}
	return true
}
