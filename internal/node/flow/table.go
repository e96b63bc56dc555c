package flow

import (
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/policy/filter"
)

// Config bounds a Table. The zero Config is useful.
type Config struct {
	Flows int // at most; 0: DefaultFlows
}

// DefaultFlows is how many flows a Table knows at most.
const DefaultFlows = 1 << 16

// Table decides about packets and remembers what it allowed. Any number of goroutines may use it at once.
type Table struct {
	rules atomic.Pointer[rules]
	tally tally
	log   log
}

// rules are a Set in force.
type rules struct {
	set   *filter.Set
	epoch uint32 // how many Sets there were before
}

// New makes a Table without rules: it lets nothing pass until Swap.
func New(Config) *Table {
	t := &Table{}
	t.rules.Store(&rules{})
	return t
}

// Swap puts other rules in force. Each flow is judged by them at its next packet. nil lets nothing pass.
func (t *Table) Swap(set *filter.Set) {
	for {
		old := t.rules.Load()
		if t.rules.CompareAndSwap(old, &rules{set: set, epoch: old.epoch + 1}) {
			return
		}
	}
}

// In decides about a packet from the network, or about a train of size bytes of which head is the beginning, with all headers.
func (t *Table) In(now mono.Time, head []byte, size int) bool { return t.pass(now, true, head, size) }

// Out is In for a packet to the network.
func (t *Table) Out(now mono.Time, head []byte, size int) bool { return t.pass(now, false, head, size) }

func (t *Table) pass(now mono.Time, in bool, head []byte, size int) bool {
	r := t.rules.Load()
	var p filter.Packet
	reason := filter.Closed
	if r.set != nil {
		if reason = p.ParseHead(head, size); reason == filter.Allowed {
			if in {
				reason = r.set.In(&p, false)
			} else {
				reason = r.set.Out(&p, false)
			}
		}
	}
	if reason == filter.Allowed {
		return true
	}
	t.deny(now, r, in, &p, reason)
	return false
}
