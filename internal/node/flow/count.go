package flow

import (
	"sync/atomic"

	"github.com/cvlan/cvlan/policy/filter"
)

// Counters are what a Table has come to.
type Counters struct {
	DroppedIn, DroppedOut map[string]uint64 // packets and trains by filter.Reason
}

type tally struct {
	dropped [2][filter.Reasons]atomic.Uint64 // by way
}

func way(in bool) int {
	if in {
		return 0
	}
	return 1
}

// Counters returns them.
func (t *Table) Counters() Counters {
	return Counters{DroppedIn: t.tally.show(0), DroppedOut: t.tally.show(1)}
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
