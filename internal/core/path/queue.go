package path

import (
	"cmp"
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// queue holds the searches in the order in which they want to be stepped: a binary heap, by time and then by peer, so that the same
// inputs give the same outputs.
type queue struct{ heap []*search }

func (q *queue) before(i, j int) bool {
	a, b := q.heap[i], q.heap[j]
	return a.at < b.at || a.at == b.at && a.id < b.id
}

func (q *queue) swap(i, j int) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.heap[i].index, q.heap[j].index = i, j
}

func (q *queue) up(i int) {
	for ; i > 0 && q.before(i, (i-1)/2); i = (i - 1) / 2 {
		q.swap(i, (i-1)/2)
	}
}

func (q *queue) down(i int) {
	for {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < len(q.heap) && q.before(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

func (q *queue) add(s *search) {
	s.index = len(q.heap)
	q.heap = append(q.heap, s)
	q.up(s.index)
}

func (q *queue) remove(s *search) {
	i, last := s.index, len(q.heap)-1
	q.swap(i, last)
	q.heap[last] = nil
	q.heap = q.heap[:last]
	if i < last {
		q.up(i)
		q.down(q.heap[i].index)
	}
}

// move changes when a search is stepped.
func (q *queue) move(s *search, at mono.Time) {
	s.at = at
	q.up(s.index)
	q.down(s.index)
}

// all returns the searches in the order of their peers.
func (q *queue) all() []*search {
	all := slices.Clone(q.heap)
	slices.SortFunc(all, func(a, b *search) int { return cmp.Compare(a.id, b.id) })
	return all
}

func (q *queue) first() mono.Time {
	if len(q.heap) == 0 {
		return mono.Never
	}
	return q.heap[0].at
}

// due returns the search whose time has come first, or nil.
func (q *queue) due(now mono.Time) *search {
	if len(q.heap) == 0 || now.Before(q.heap[0].at) {
		return nil
	}
	return q.heap[0]
}
