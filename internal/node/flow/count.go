package flow

import (
	"slices"
	"sync/atomic"

	"github.com/cvlan/cvlan/policy/filter"
)

// Counters are what a Table has come to.
type Counters struct {
	Generation            uint64            // of the Set in force; 0: none
	Flows                 int               // that are known now
	Opened                uint64            // flows that the rules allowed
	Evicted               uint64            // flows that were forgotten because there was no room
	Expired               uint64            // flows that were forgotten because they were idle
	DroppedIn, DroppedOut map[string]uint64 // packets and trains by filter.Reason
	Missed                uint64            // denials that are counted but not told
	Rules                 []RuleCount       // since the generation came into force, by number; those that did nothing are left out
}

// RuleCount is what one rule has decided.
type RuleCount struct {
	Rule    uint32
	Allowed uint64 // flows
	Denied  uint64 // packets and trains
}

type tally struct {
	dropped [2][filter.Reasons]atomic.Uint64 // by way
	opened  atomic.Uint64
	missed  atomic.Uint64
}

func way(out bool) int {
	if out {
		return 1
	}
	return 0
}

// usage counts for each rule of a Set. Sets of one generation share the counters of a rule.
type usage struct {
	numbers []uint32 // sorted
	counts  []*ruleCount
}

type ruleCount struct{ allowed, denied atomic.Uint64 }

func usageOf(set *filter.Set, old *rules) (u usage) {
	if set == nil {
		return u
	}
	u.numbers = set.Rules()
	u.counts = make([]*ruleCount, len(u.numbers))
	for i, n := range u.numbers {
		if old.set != nil && old.set.Generation() == set.Generation() {
			u.counts[i] = old.usage.of(n)
		}
		if u.counts[i] == nil {
			u.counts[i] = new(ruleCount)
		}
	}
	return u
}

func (u *usage) of(rule uint32) *ruleCount {
	if i, ok := slices.BinarySearch(u.numbers, rule); ok {
		return u.counts[i]
	}
	return nil
}

// count counts a flow for the rule that allows it.
func (q *question) count() {
	q.t.tally.opened.Add(1)
	if c := q.r.usage.of(q.rule); c != nil && q.byRule {
		c.allowed.Add(1)
	}
}

// Counters returns them.
func (t *Table) Counters() Counters {
	r := t.rules.Load()
	c := Counters{Opened: t.tally.opened.Load(), Missed: t.tally.missed.Load(), DroppedIn: t.tally.show(0), DroppedOut: t.tally.show(1)}
	if r.set != nil {
		c.Generation = r.set.Generation()
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		c.Flows += int(s.ranks[0].n + s.ranks[1].n + s.ranks[2].n)
		c.Evicted += s.evicted
		c.Expired += s.expired
		s.mu.Unlock()
	}
	for i, n := range r.usage.numbers {
		x := RuleCount{Rule: n, Allowed: r.usage.counts[i].allowed.Load(), Denied: r.usage.counts[i].denied.Load()}
		if x.Allowed+x.Denied > 0 {
			c.Rules = append(c.Rules, x)
		}
	}
	return c
}

func (t *tally) show(way int) map[string]uint64 {
	m := map[string]uint64{}
	for r := range t.dropped[way] {
		if n := t.dropped[way][r].Load(); n > 0 {
			m[filter.Reason(r).String()] = n
		}
	}
	return m
}
