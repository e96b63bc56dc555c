package view

import "time"

// tombs remembers deletions, oldest first.
type tombs struct {
	queue []tomb
	head  int
}

type tomb struct {
	m      *member // nil: it is that of a device
	device *device
	at     time.Time
}

func (b tomb) network() *network {
	if b.m == nil {
		return b.device.network
	}
	return b.m.network
}

func (t *tombs) len() int { return len(t.queue) - t.head }

func (t *tombs) oldest() tomb { return t.queue[t.head] }

// bury remembers a deletion, and forgets the oldest if there are too many.
func (v *View) bury(b tomb) {
	v.tombs.queue = append(v.tombs.queue, b)
	if v.tombs.len() > v.cfg.Tombstones {
		v.tombs.drop()
	}
}

// drop forgets the oldest deletion: who stands before it needs a snapshot from now on.
func (t *tombs) drop() {
	if m := t.oldest().m; m != nil {
		m.network.floor = max(m.network.floor, m.versions[byHard])
		m.network.list[byHard].drop(m)
	} else {
		t.oldest().device.forget()
	}
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
		if b.network() != w {
			kept = append(kept, b)
		}
	}
	clear(t.queue[len(kept):])
	t.queue, t.head = kept, 0
}
