package view

import "time"

// tombs remembers deletions, oldest first.
type tombs struct {
	queue []tomb
	head  int
}

type tomb struct {
	m  *member
	at time.Time
}

func (t *tombs) len() int { return len(t.queue) - t.head }

func (t *tombs) oldest() tomb { return t.queue[t.head] }

// bury remembers a deletion, and forgets the oldest if there are too many.
func (v *View) bury(m *member, at time.Time) {
	v.tombs.queue = append(v.tombs.queue, tomb{m, at})
	if v.tombs.len() > v.cfg.Tombstones {
		v.tombs.drop()
	}
}

// drop forgets the oldest deletion: who stands before it needs a snapshot from now on.
func (t *tombs) drop() {
	m := t.oldest().m
	m.network.floor = max(m.network.floor, m.versions[byHard])
	m.network.list[byHard].drop(m)
	t.queue[t.head] = tomb{}
	if t.head++; t.head > len(t.queue)/2 {
		n := copy(t.queue, t.queue[t.head:])
		clear(t.queue[n:])
		t.queue, t.head = t.queue[:n], 0
	}
}

// forget drops the tombstones of a network that is itself removed.
func (t *tombs) forget(w *network) {
	kept := t.queue[:0]
	for _, b := range t.queue[t.head:] {
		if b.m.network != w {
			kept = append(kept, b)
		}
	}
	clear(t.queue[len(kept):])
	t.queue, t.head = kept, 0
}
