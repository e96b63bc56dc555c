package flow

import (
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/policy/filter"
)

// Denial is one packet, or train, that was not let pass.
type Denial struct {
	At               time.Time
	In               bool // from the network
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	Proto            uint8
	Reason           filter.Reason
	Rule             uint32 // that denies it; 0 and ByRule false where none allows it
	ByRule           bool
	Missed           uint32 // denials of the same source before it that are not told
}

// remembered is how many denials are kept.
const remembered = 1024

// log keeps recent denials.
type log struct {
	mu    sync.Mutex
	ring  [remembered]Denial
	count uint64 // of all that ever were
}

func (l *log) add(d Denial) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.count%remembered] = d
	l.count++
}

// Denials returns what was denied since, oldest first, as far as it is remembered, and what to ask with next. It begins with 0.
func (t *Table) Denials(since uint64) (all []Denial, next uint64) {
	l := &t.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if since > l.count || l.count-since > remembered {
		since = max(l.count, remembered) - remembered
	}
	for ; since < l.count; since++ {
		all = append(all, l.ring[since%remembered])
	}
	return all, l.count
}

func (t *Table) deny(_ mono.Time, r *rules, in bool, p *filter.Packet, reason filter.Reason) {
	t.tally.dropped[way(in)][reason].Add(1)
	d := Denial{At: time.Now(), In: in, Src: p.Src, Dst: p.Dst, SrcPort: p.SrcPort, DstPort: p.DstPort, Proto: p.Proto, Reason: reason}
	if reason == filter.Denied && in {
		d.Rule, d.ByRule = r.set.RuleIn(p)
	} else if reason == filter.Denied {
		d.Rule, d.ByRule = r.set.RuleOut(p)
	}
	t.log.add(d)
}
