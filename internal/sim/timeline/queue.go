// Package timeline holds what is under way in the virtual time of a test: it comes when its time has come, and of one instant what was put first.
package timeline

import (
	"container/heap"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Queue is empty in its zero value.
type Queue[T any] struct {
	waiting entries[T]
	n       int // how many were ever put
}

// Put lets what come at an instant.
func (q *Queue[T]) Put(at mono.Time, what T) {
	q.n++
	heap.Push(&q.waiting, entry[T]{at, q.n, what})
}

// Next is when the next one comes; Never: nothing is under way.
func (q *Queue[T]) Next() mono.Time {
	if len(q.waiting) == 0 {
		return mono.Never
	}
	return q.waiting[0].at
}

// Take takes out the next one, if its time has come.
func (q *Queue[T]) Take(now mono.Time) (what T, ok bool) {
	if len(q.waiting) == 0 || q.waiting[0].at > now {
		return what, false
	}
	return heap.Pop(&q.waiting).(entry[T]).what, true
}

type entry[T any] struct {
	at   mono.Time
	n    int
	what T
}

type entries[T any] []entry[T]

func (e entries[T]) Len() int { return len(e) }
func (e entries[T]) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].n < e[j].n
}
func (e entries[T]) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *entries[T]) Push(x any)   { *e = append(*e, x.(entry[T])) }
func (e *entries[T]) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
