package flow

import (
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

// Denial is one packet, or train, that was not let pass.
type Denial struct {
	At               time.Time
	In               bool       // from the network
	Src, Dst         netip.Addr // invalid in what is no IP packet
	SrcPort, DstPort uint16
	Proto            uint8
	Type             uint8 // of ICMP
	Reason           filter.Reason
	Rule             uint32 // that denies it, if ByRule: else no rule allows it
	ByRule           bool
	Generation       uint64 // of the Set that has judged it, in whose document Rule counts
	Missed           uint32 // denials since the last one that is told, of sources that share this one's allowance
}

// Remembered is how many denials are kept.
const Remembered = 1024

// A source may have so many denials told at once, and from then on one a tick. Sources that share a purse share its coins.
const (
	purses   = 256
	allowed  = 8
	coinBits = 8
)

// denials keeps recent ones.
type denials struct {
	purses [purses]atomic.Uint64 // tick of the last coin<<32 | missed<<coinBits | coins

	mu    sync.Mutex
	ring  []Denial // Remembered of them at most
	count uint64   // of all that were ever told
}

// spend takes a coin from a purse. Without one the denial is missed; with one it is told how many were.
func (d *denials) spend(hash uint64, now tick) (missed uint32, ok bool) {
	p := &d.purses[hash%purses]
	for {
		old := p.Load()
		last, missed, coins := tick(old>>32), uint32(old)>>coinBits, uint32(old)&(1<<coinBits-1)
		if old == 0 {
			last, coins = now, allowed
		}
		if since := now - last; since > 0 && since <= math.MaxInt32 {
			coins, last = min(allowed, coins+min(uint32(since), allowed)), now
		}
		fresh := uint64(last)<<32 | uint64(coins-1)
		if ok = coins > 0; !ok {
			fresh = uint64(last)<<32 | uint64(min(missed+1, math.MaxUint32>>coinBits))<<coinBits
		}
		if p.CompareAndSwap(old, fresh) {
			return missed, ok
		}
	}
}

func (d *denials) add(x Denial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count < Remembered {
		d.ring = append(d.ring, x)
	} else {
		d.ring[d.count%Remembered] = x
	}
	d.count++
}

// Denials returns what was denied since, oldest first, as far as it is remembered, and what to ask with next. It begins with 0.
func (t *Table) Denials(since uint64) (all []Denial, next uint64) {
	d := &t.log
	d.mu.Lock()
	defer d.mu.Unlock()
	if since > d.count || d.count-since > Remembered {
		since = max(d.count, Remembered) - Remembered
	}
	for ; since < d.count; since++ {
		all = append(all, d.ring[since%Remembered])
	}
	return all, d.count
}

// deny counts a denial, and tells it if its source has not had too many told.
func (t *Table) deny(q *question, reason filter.Reason) {
	t.tally.dropped[way(q.out)][reason].Add(1)
	byRule := reason == filter.Denied && q.rule != filter.Nobody
	if byRule {
		q.r.usage[q.rule].denied.Add(1)
	}
	missed, ok := t.log.spend(q.source(), q.now)
	if !ok {
		t.tally.missed.Add(1)
		return
	}
	d := Denial{At: time.Now(), In: !q.out, SrcPort: q.p.SrcPort, DstPort: q.p.DstPort, Proto: q.p.Proto,
		Reason: reason, ByRule: byRule, Missed: missed}
	if byRule {
		d.Rule, d.Generation = q.r.set.Rules()[q.rule], q.r.set.Generation()
	}
	if q.p.Length > 0 {
		d.Src, d.Dst = q.p.Src.Netip(), q.p.Dst.Netip()
	}
	if isICMP(d.Proto) {
		d.Type, d.SrcPort, d.DstPort = q.p.Flags, 0, 0
	}
	t.log.add(d)
}

// source is a hash of who sends the packet; of all that is no IP packet it is the same.
func (q *question) source() uint64 {
	return mix(q.p.Src.Hi^q.t.seed[0], q.p.Src.Lo^q.t.seed[1])
}
