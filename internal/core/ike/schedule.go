package ike

import (
	"container/heap"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// schedule is a heap of the IKE SAs that have a deadline. Each knows its place.
type schedule []*sa

// unscheduled is the place of one that is not in it.
const unscheduled = -1

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due < s[j].due }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}

// Push and Pop are for package heap.
func (s *schedule) Push(x any) {
	one := x.(*sa)
	one.place = len(*s)
	*s = append(*s, one)
}

func (s *schedule) Pop() any {
	last := len(*s) - 1
	one := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	one.place = unscheduled
	return one
}

// set moves one to deadline at, or takes it out if that is Never.
func (s *schedule) set(one *sa, at mono.Time) {
	one.due = at
	switch {
	case at.IsNever() && one.place != unscheduled:
		heap.Remove(s, one.place)
	case at.IsNever():
	case one.place == unscheduled:
		heap.Push(s, one)
	default:
		heap.Fix(s, one.place)
	}
}
