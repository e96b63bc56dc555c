package esp

import "github.com/cvlan/cvlan/internal/base/mono"

// schedule is a binary heap of the peers that have a deadline. Each peer knows its place, so that moving one costs no search.
type schedule []*peer

// unscheduled is the place of a peer that is not in the heap.
const unscheduled = -1

// first is the peer that is due next, nil if there is none.
func (s schedule) first() *peer {
	if len(s) == 0 {
		return nil
	}
	return s[0]
}

// set moves p to deadline at, or takes it out if that is Never.
func (s *schedule) set(p *peer, at mono.Time) {
	switch {
	case at.IsNever():
		s.remove(p)
	case p.place == unscheduled:
		p.due, p.place = at, len(*s)
		*s = append(*s, p)
		s.up(p.place)
	case p.due != at:
		p.due = at
		s.down(p.place)
		s.up(p.place)
	}
}

func (s *schedule) remove(p *peer) {
	i := p.place
	if i == unscheduled {
		return
	}
	last := len(*s) - 1
	s.swap(i, last)
	(*s)[last] = nil
	*s = (*s)[:last]
	p.place, p.due = unscheduled, mono.Never
	if i < last {
		s.down(i)
		s.up(i)
	}
}

func (s schedule) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if s[parent].due <= s[i].due {
			return
		}
		s.swap(i, parent)
		i = parent
	}
}

func (s schedule) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(s) {
			return
		}
		if right := child + 1; right < len(s) && s[right].due < s[child].due {
			child = right
		}
		if s[i].due <= s[child].due {
			return
		}
		s.swap(i, child)
		i = child
	}
}

func (s schedule) swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].place, s[j].place = i, j
}
