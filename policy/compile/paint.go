package compile

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

// Entry is one destination of a rule as it goes to nodes.
type Entry struct {
	Services []acl.Service
	Rule     uint32 // number in the document
	Deny     bool
	Priority int32
	Window   uint32 // 0: always; else Windows[Window-1]
}

// before reports whether e decides where both match.
func (e *Entry) before(f *Entry) bool {
	if e.Priority != f.Priority {
		return e.Priority > f.Priority
	}
	if e.Deny != f.Deny {
		return e.Deny
	}
	return e.Rule < f.Rule
}

// piece is one range of services of one entry.
type piece struct {
	acl.Service
	*Entry
}

// covering are the pieces that may hold the current service, the one that decides first.
type covering []piece

func (c covering) Len() int           { return len(c) }
func (c covering) Less(i, j int) bool { return c[i].before(c[j].Entry) }
func (c covering) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *covering) Push(x any)        { *c = append(*c, x.(piece)) }
func (c *covering) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// paint decides every service once: a sweep over the ranges of all entries, at each of which the entry that decides is on top.
func paint(entries []*Entry) (out []filter.Span) {
	var pieces []piece
	for _, e := range entries {
		for _, s := range e.Services {
			pieces = append(pieces, piece{s, e})
		}
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.First, b.First) })
	var open covering
	at := uint32(0)
	for len(pieces) > 0 || len(open) > 0 {
		if len(open) == 0 {
			at = max(at, pieces[0].First)
		}
		for len(pieces) > 0 && pieces[0].First <= at {
			heap.Push(&open, pieces[0])
			pieces = pieces[1:]
		}
		top := open[0]
		if top.Last < at {
			heap.Pop(&open)
			continue
		}
		last := top.Last
		if len(pieces) > 0 {
			last = min(last, pieces[0].First-1)
		}
		out = extend(out, filter.Span{First: at, Last: last, Rule: top.Rule, Deny: top.Deny})
		at = last + 1
	}
	return out
}

// extend appends a span, or makes the last one longer.
func extend(out []filter.Span, s filter.Span) []filter.Span {
	if n := len(out); n > 0 {
		if l := &out[n-1]; l.Last+1 == s.First && l.Rule == s.Rule && l.Deny == s.Deny {
			l.Last = s.Last
			return out
		}
	}
	return append(out, s)
}
