// Package agenda holds what has a deadline, the earliest first: a binary heap in which everything knows its own place, so that moving or
// removing one costs no search. Nothing is allocated but the heap itself.
package agenda

import "github.com/cvlan/cvlan/internal/base/mono"

// Slot is embedded in what is put into an Agenda. Its zero value is in none.
type Slot struct {
	due   mono.Time
	place int // in the heap, from 1; 0: in none
}

func (s *Slot) slot() *Slot { return s }

// Due is the deadline; Never: there is none.
func (s *Slot) Due() mono.Time { return s.due }

// Item is a pointer to a struct that embeds a Slot.
type Item interface {
	comparable
	slot() *Slot
}

// Agenda is empty in its zero value. An item is in one Agenda at most.
type Agenda[P Item] struct{ heap []P }

// Len is how many items have a deadline.
func (a *Agenda[P]) Len() int { return len(a.heap) }

// Deadline is the earliest; Never: there is none.
func (a *Agenda[P]) Deadline() mono.Time {
	if len(a.heap) == 0 {
		return mono.Never
	}
	return a.heap[0].slot().due
}

// Due returns an item whose deadline has come, the one that is due for longest; ok is false if there is none. The item stays.
func (a *Agenda[P]) Due(now mono.Time) (p P, ok bool) {
	if len(a.heap) == 0 || a.heap[0].slot().due > now {
		return p, false
	}
	return a.heap[0], true
}

// Set moves an item to a deadline, or takes it out if that is Never.
func (a *Agenda[P]) Set(p P, at mono.Time) {
	s := p.slot()
	switch {
	case at.IsNever():
		a.Remove(p)
	case s.place == 0:
		a.heap = append(a.heap, p)
		s.due, s.place = at, len(a.heap)
		a.up(len(a.heap) - 1)
	case s.due != at:
		s.due = at
		a.down(s.place - 1)
		a.up(s.place - 1)
	}
}

// Remove takes an item out, if it is in.
func (a *Agenda[P]) Remove(p P) {
	s := p.slot()
	if s.place == 0 {
		return
	}
	i, last := s.place-1, len(a.heap)-1
	a.swap(i, last)
	clear(a.heap[last:])
	a.heap = a.heap[:last]
	*s = Slot{due: mono.Never}
	if i < last {
		a.down(i)
		a.up(i)
	}
}

func (a *Agenda[P]) due(i int) mono.Time { return a.heap[i].slot().due }

func (a *Agenda[P]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if a.due(parent) <= a.due(i) {
			return
		}
		a.swap(i, parent)
		i = parent
	}
}

func (a *Agenda[P]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(a.heap) {
			return
		}
		if right := child + 1; right < len(a.heap) && a.due(right) < a.due(child) {
			child = right
		}
		if a.due(i) <= a.due(child) {
			return
		}
		a.swap(i, child)
		i = child
	}
}

func (a *Agenda[P]) swap(i, j int) {
	a.heap[i], a.heap[j] = a.heap[j], a.heap[i]
	a.heap[i].slot().place, a.heap[j].slot().place = i+1, j+1
}
