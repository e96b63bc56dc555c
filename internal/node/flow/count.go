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
	missed  atomic.Uint64
}

func way(out bool) int {
	if out {
		return 1
	}
	return 0
}

// usage counts for each of the rules of a Set. Sets of one generation share the counters of a rule.
type usage []*ruleCount

type ruleCount struct{ allowed, denied atomic.Uint64 }

func usageOf(set *filter.Set, old *rules) usage {
	if set == nil {
		return nil
	}
	u := make(usage, len(set.Rules()))
	for i, number := range set.Rules() {
		if old.set != nil && old.set.Generation() == set.Generation() {
			u[i] = old.count(number)
		}
		if u[i] == nil {
			u[i] = new(ruleCount)
		}
	}
	return u
}

// count is the counter of a rule by its number; nil: there is none.
func (r *rules) count(number uint32) *ruleCount {
	if i, ok := slices.BinarySearch(r.set.Rules(), number); ok {
		return r.usage[i]
	}
	return nil
}

// count counts a flow of a shard for the rule that allows it.
func (q *question) count(s *shard) {
	s.opened++
	if q.rule != filter.Nobody {
		q.r.usage[q.rule].allowed.Add(1)
	}
}

// Counters returns them.
func (t *Table) Counters() Counters {
	r := t.rules.Load()
	c := Counters{Missed: t.tally.missed.Load(), DroppedIn: t.tally.show(0), DroppedOut: t.tally.show(1)}
	if r.set != nil {
		c.Generation = r.set.Generation()
	}
	latest := t.latest()
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		c.Flows += s.flows(latest)
		c.Opened += s.opened
		c.Evicted += s.evicted
		c.Expired += s.expired
		s.mu.Unlock()
	}
	for i, count := range r.usage {
		x := RuleCount{Rule: r.set.Rules()[i], Allowed: count.allowed.Load(), Denied: count.denied.Load()}
		if x.Allowed+x.Denied > 0 {
			c.Rules = append(c.Rules, x)
		}
	}
	return c
}

// latest is when a packet came last that took a lock.
func (t *Table) latest() (now tick) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		now = max(now, s.latest)
		s.mu.Unlock()
	}
	return now
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
