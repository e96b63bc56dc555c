// Package agenda holds what has a deadline, the earliest first: a binary heap in which everything knows its own place, so that moving or
// removing one costs no search. Nothing is allocated but the heap itself.
package agenda

import "github.com/cvlan/cvlan/internal/base/mono"

// Slot is embedded in what is put into an Agenda. Its zero value is in none.
type Slot struct {
	place int // in the heap, from 1; 0: in none
}

func (s *Slot) slot() *Slot { return s }

// Item is a pointer to a struct that embeds a Slot.
type Item interface {
	comparable
	slot() *Slot
}

// Agenda is empty in its zero value. An item is in one Agenda at most.
type Agenda[P Item] struct{ heap []entry[P] }

type entry[P Item] struct {
	due  mono.Time
	item P
}

// Len is how many items have a deadline.
func (a *Agenda[P]) Len() int { return len(a.heap) }

// Deadline is the earliest; Never: there is none.
func (a *Agenda[P]) Deadline() mono.Time {
	if len(a.heap) == 0 {
		return mono.Never
	}
	return a.heap[0].due
}

// Due returns an item whose deadline has come, the one that is due for longest; ok is false if there is none. The item stays.
func (a *Agenda[P]) Due(now mono.Time) (p P, ok bool) {
	if len(a.heap) == 0 || a.heap[0].due > now {
		return p, false
	}
	return a.heap[0].item, true
}

// Set moves an item to a deadline, or takes it out if that is Never.
func (a *Agenda[P]) Set(p P, at mono.Time) {
	i := p.slot().place - 1
	switch {
	case at.IsNever():
		a.Remove(p)
	case i < 0:
		a.heap = append(a.heap, entry[P]{})
		a.settle(len(a.heap)-1, entry[P]{at, p})
	case a.heap[i].due != at:
		a.settle(i, entry[P]{at, p})
	}
}

// Remove takes an item out, if it is in.
func (a *Agenda[P]) Remove(p P) {
	i, last := p.slot().place-1, len(a.heap)-1
	if i < 0 {
		return
	}
	moved := a.heap[last]
	a.heap[last] = entry[P]{}
	a.heap = a.heap[:last]
	p.slot().place = 0
	if i < last {
		a.settle(i, moved)
	}
}

// settle puts e where it belongs, from the gap at i on.
func (a *Agenda[P]) settle(i int, e entry[P]) {
	for child := a.lesser(i); child > 0 && a.heap[child].due < e.due; child = a.lesser(i) {
		a.put(i, a.heap[child])
		i = child
	}
	for parent := (i - 1) / 2; i > 0 && a.heap[parent].due > e.due; parent = (i - 1) / 2 {
		a.put(i, a.heap[parent])
		i = parent
	}
	a.put(i, e)
}

// lesser is the child that is due first; 0: there is none.
func (a *Agenda[P]) lesser(i int) int {
	child := 2*i + 1
	if child >= len(a.heap) {
		return 0
	}
	if right := child + 1; right < len(a.heap) && a.heap[right].due < a.heap[child].due {
		return right
	}
	return child
}

func (a *Agenda[P]) put(i int, e entry[P]) {
	a.heap[i] = e
	e.item.slot().place = i + 1
}
