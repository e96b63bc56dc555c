package view

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// Plain is what the nodes that are named for a plain device are told of it.
type Plain struct {
	ID      ident.Plain
	Network ident.Network // never changes
	Entry   []byte        // control.Plain, encoded
	// Nodes are those that are told; nobody else is. A node that was named is missing later only if it was deleted.
	Nodes []ident.Node
}

// device is a plain device, or what is left of it.
type device struct {
	id      ident.Plain
	network *network
	entry   []byte // nil: it is gone
	nodes   []ident.Node
	version uint64 // of its newest change
}

// PutPlain adds a plain device or changes it. Its nodes need not be there yet: a load may bring them later.
func (v *View) PutPlain(p Plain, version uint64) (Change, error) {
	w, d := v.networks[p.Network], v.devices[p.ID]
	if w == nil {
		return Change{}, fmt.Errorf("%w: network %s of plain device %s", ErrUnknown, p.Network, p.ID)
	}
	if p.ID.IsZero() || len(p.Entry) == 0 || len(p.Entry) > control.MaxPlain || d != nil && (d.network != w || v.deserted(d, p.Nodes)) {
		return Change{}, fmt.Errorf("%w: plain device %s", ErrInvalid, p.ID)
	}
	if err := v.advance(version, true); err != nil {
		return Change{}, err
	}
	switch {
	case d == nil:
		d = &device{id: p.ID, network: w}
		v.devices[p.ID] = d
	case bytes.Equal(d.entry, p.Entry) && !slices.ContainsFunc(p.Nodes, d.hiddenFrom):
		return Change{}, nil
	}
	d.entry, d.nodes = p.Entry, slices.Clone(p.Nodes)
	v.announce(d, version)
	return Change{network: w, device: d, scope: named}, nil
}

// RemovePlain deletes a plain device. One that is not there leaves its tombstone all the same: so the load tells of former deletions.
func (v *View) RemovePlain(t Tombstone) (Change, error) {
	w, d := v.networks[t.Network], v.devices[t.Plain]
	if d != nil && d.network != w {
		return Change{}, fmt.Errorf("%w: plain device %s is not in network %s", ErrUnknown, t.Plain, t.Network)
	}
	if err := v.advance(t.Version, true); err != nil {
		return Change{}, err
	}
	if w == nil {
		return Change{}, nil
	}
	if d == nil {
		d = &device{id: t.Plain, network: w, nodes: slices.Clone(t.Nodes)}
	}
	delete(v.devices, t.Plain)
	d.entry = nil
	v.announce(d, t.Version)
	v.bury(tomb{device: d, at: t.At})
	return Change{network: w, device: d, scope: named}, nil
}

// announce puts a device as it is now on the shelf of each of its nodes.
func (v *View) announce(d *device, version uint64) {
	for _, id := range d.nodes {
		d.network.shelf(id).drop(d)
	}
	d.version = version
	for _, id := range d.nodes {
		s := d.network.shelf(id)
		s.devices = append(s.devices, d)
		if m := v.members[id]; m != nil && m.network == d.network {
			m.shelf = s
		}
	}
}

func (d *device) hiddenFrom(id ident.Node) bool { return !slices.Contains(d.nodes, id) }

// deserted reports whether a node that is still there is no longer named for a device.
func (v *View) deserted(d *device, nodes []ident.Node) bool {
	return slices.ContainsFunc(d.nodes, func(id ident.Node) bool { return v.members[id] != nil && !slices.Contains(nodes, id) })
}

// forget drops a device that is gone from all shelves: who stands before its removal needs a snapshot from now on.
func (d *device) forget() {
	for _, id := range d.nodes {
		if s := d.network.shelves[id]; s != nil {
			s.drop(d)
			s.floor = max(s.floor, d.version)
		}
	}
}

// abandon lets go of the devices of a node that is deleted.
func (w *network) abandon(id ident.Node) {
	s := w.shelves[id]
	if s == nil {
		return
	}
	for _, d := range s.devices {
		d.nodes = slices.DeleteFunc(d.nodes, func(o ident.Node) bool { return o == id })
	}
	delete(w.shelves, id)
}

// scrap forgets all devices of a network that is itself removed.
func (v *View) scrap(w *network) {
	maps.DeleteFunc(v.devices, func(_ ident.Plain, d *device) bool { return d.network == w })
}

// shelf is what one node is to hear of plain devices: those that there are and those that are gone, in the order of versions. Few
// nodes have any, and those few of them; nil is an empty one.
type shelf struct {
	devices []*device
	floor   uint64 // version of the newest removal that is forgotten
}

// shelf returns a node's, made if there is none.
func (w *network) shelf(id ident.Node) *shelf {
	s := w.shelves[id]
	if s == nil {
		if w.shelves == nil {
			w.shelves = map[ident.Node]*shelf{}
		}
		s = &shelf{}
		w.shelves[id] = s
	}
	return s
}

func (s *shelf) drop(d *device) {
	if at := slices.Index(s.devices, d); at >= 0 {
		s.devices = slices.Delete(s.devices, at, at+1)
	}
}

// newest is the version of the newest change; 0 if there is none.
func (s *shelf) newest() uint64 {
	if s == nil || len(s.devices) == 0 {
		return 0
	}
	return s.devices[len(s.devices)-1].version
}

// since returns what has changed after a version, oldest first.
func (s *shelf) since(hard uint64) []*device {
	if s.newest() <= hard {
		return nil
	}
	at := len(s.devices)
	for at > 0 && s.devices[at-1].version > hard {
		at--
	}
	return s.devices[at:]
}

// floor is the version of the newest deletion that the member needs to hear of and that is forgotten.
func (m *member) floor() uint64 {
	if m.shelf == nil {
		return m.network.floor
	}
	return max(m.network.floor, m.shelf.floor)
}
