package netmap

import (
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/view"
	"github.com/cvlan/cvlan/proto/control"
)

// The model's plain devices.

// plainRow is a plain device, and who it was made for.
type plainRow struct {
	entry   control.Plain
	network ident.Network
	nodes   []ident.Node
	version uint64
}

func (r plainRow) plain() view.Plain {
	return view.Plain{ID: r.entry.ID, Network: r.network, Entry: r.entry.Encode(), Nodes: r.nodes}
}

func (w *world) putPlain(t *rapid.T, r plainRow) {
	w.hard++
	r.version = w.hard
	w.plains[r.entry.ID] = r
	w.tell(must(t)(w.view.PutPlain(r.plain(), w.hard)))
}

// device makes a plain device for some nodes of a network.
func (w *world) device(t *rapid.T) {
	if w.lastPlain == 48 {
		return
	}
	w.lastPlain++
	r := plainRow{entry: deviceOf(w.lastPlain), network: oneOf(t, []ident.Network{7, 7, 8})}
	for _, id := range slices.Sorted(maps.Keys(w.nodes)) {
		if w.nodes[id].network == r.network && oneIn(t, 2) {
			r.nodes = append(r.nodes, id)
		}
	}
	w.putPlain(t, r)
}

func (w *world) changeDevice(t *rapid.T) {
	if len(w.plains) == 0 {
		w.device(t)
	}
	if len(w.plains) == 0 {
		return
	}
	r := w.plains[oneOf(t, slices.Sorted(maps.Keys(w.plains)))]
	if oneIn(t, 2) {
		r.entry.Revision++
		w.putPlain(t, r)
		return
	}
	w.hard++
	tomb := view.Tombstone{Plain: r.entry.ID, Nodes: r.nodes, Network: r.network, Version: w.hard, At: time.Unix(int64(w.hard), 0)}
	delete(w.plains, tomb.Plain)
	w.tombs = append(w.tombs, tomb)
	w.tell(must(t)(w.view.RemovePlain(tomb)))
}

func (w *world) compareDevices(t *rapid.T, e *end, sees bool) {
	for id, why := range e.table.RefusedPlains() {
		t.Fatalf("node %d leaves plain device %d out: %s", uint64(e.id), uint64(id), why)
	}
	n := 0
	for p := range e.table.Plains() {
		n++
		if r, there := w.plains[p.ID]; !sees || !there || r.entry != *p || !slices.Contains(r.nodes, e.id) {
			t.Fatalf("node %d has plain device %+v, want %+v", uint64(e.id), p, r)
		}
	}
	for id, r := range w.plains {
		if sees && slices.Contains(r.nodes, e.id) {
			n--
			if e.table.Plain(id) == nil {
				t.Fatalf("node %d lacks plain device %d", uint64(e.id), uint64(id))
			}
		}
	}
	if n != 0 {
		t.Fatalf("node %d has %d plain devices too many", uint64(e.id), n)
	}
}
