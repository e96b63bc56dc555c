package quantum

import (
	"container/heap"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// schedule is a heap of the pairs that have a deadline. Each knows its place.
type schedule []*pair

// unscheduled is the place of a pair that is not in the heap.
const unscheduled = -1

// set moves p to deadline at, or takes it out if that is Never.
func (s *schedule) set(p *pair, at mono.Time) {
	switch {
	case at.IsNever():
		s.remove(p)
	case p.place == unscheduled:
		p.due = at
		heap.Push(s, p)
	default:
		p.due = at
		heap.Fix(s, p.place)
	}
}

func (s *schedule) remove(p *pair) {
	if p.place != unscheduled {
		heap.Remove(s, p.place)
	}
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due < s[j].due }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}
func (s *schedule) Push(x any) {
	p := x.(*pair)
	p.place = len(*s)
	*s = append(*s, p)
}
func (s *schedule) Pop() any {
	last := len(*s) - 1
	p := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	p.place = unscheduled
	return p
}
