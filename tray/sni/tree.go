package sni

import (
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/tray/menu"
)

// maxPast is how many entries that have gone are still known, for clicks that are on their way.
const maxPast = 1024

// node is an entry as dbusmenu knows it.
type node struct {
	id       int32
	props    map[string]dbus.Variant // without those that have their default
	children []int32
	action   menu.Action
}

// tree is the menu by numbers; the root is 0.
type tree struct {
	revision uint32
	last     int32            // number given out last
	ids      map[string]int32 // by key, of entries that are there
	nodes    map[int32]*node
	past     map[int32]menu.Action
	pastIDs  []int32 // in the order in which they went
}

// change is what a host must be told: that it reads the menu again, or which entries look different.
type change struct {
	layout bool
	ids    []int32
}

// grow makes the tree that of entries, and says what changed.
func (t *tree) grow(entries []menu.Entry) change {
	before, beforeIDs := t.nodes, t.ids
	t.nodes, t.ids = map[int32]*node{}, map[string]int32{}
	root := &node{props: map[string]dbus.Variant{"children-display": dbus.MakeVariant("submenu")}}
	t.nodes[0] = root
	t.add(root, entries, beforeIDs)
	t.remember(before)
	c := change{}
	for id, n := range t.nodes {
		old := before[id]
		switch {
		case old == nil || !slices.Equal(old.children, n.children):
			c.layout = true
		case !maps.EqualFunc(old.props, n.props, func(a, b dbus.Variant) bool { return a.Value() == b.Value() }):
			c.ids = append(c.ids, id)
		}
	}
	slices.Sort(c.ids)
	if c.layout {
		t.revision++
	}
	return c
}

func (t *tree) add(parent *node, entries []menu.Entry, before map[string]int32) {
	for _, e := range entries {
		if _, twice := t.ids[e.Key]; twice {
			continue // a key is one entry's; the picture's maker has a defect
		}
		id, ok := before[e.Key]
		if !ok {
			t.last++
			id = t.last
		}
		n := &node{id: id, props: look(e), action: e.Action}
		t.ids[e.Key], t.nodes[id] = id, n
		parent.children = append(parent.children, id)
		t.add(n, e.Children, before)
	}
}

// remember keeps the actions of entries that have gone.
func (t *tree) remember(before map[int32]*node) {
	if t.past == nil {
		t.past = map[int32]menu.Action{}
	}
	var went []int32
	for id, n := range before {
		if t.nodes[id] == nil && n.action.Verb != menu.Nothing {
			t.past[id] = n.action
			went = append(went, id)
		}
	}
	slices.Sort(went)
	t.pastIDs = append(t.pastIDs, went...)
	for len(t.pastIDs) > maxPast {
		delete(t.past, t.pastIDs[0])
		t.pastIDs = t.pastIDs[1:]
	}
}

// action returns what a click on an entry asks for.
func (t *tree) action(id int32) menu.Action {
	if n := t.nodes[id]; n != nil {
		return n.action
	}
	return t.past[id]
}

// look returns the properties of an entry. An underscore would mark the next letter as a key to press; two are one.
func look(e menu.Entry) map[string]dbus.Variant {
	if e.Kind == menu.Separator {
		return map[string]dbus.Variant{"type": dbus.MakeVariant("separator")}
	}
	p := map[string]dbus.Variant{"label": dbus.MakeVariant(strings.ReplaceAll(e.Label, "_", "__")), "enabled": dbus.MakeVariant(!e.Disabled)}
	if e.Kind == menu.Check {
		mark := int32(0)
		if e.Marked {
			mark = 1
		}
		p["toggle-type"], p["toggle-state"] = dbus.MakeVariant("checkmark"), dbus.MakeVariant(mark)
	}
	if len(e.Children) > 0 {
		p["children-display"] = dbus.MakeVariant("submenu")
	}
	return p
}

// layout is an entry on the wire, (ia{sv}av).
type layout struct {
	ID       int32
	Props    map[string]dbus.Variant
	Children []dbus.Variant
}

// reading is one client's reading of the tree.
type reading struct {
	tree     *tree
	only     []string       // the properties asked for
	heard    map[int32]bool // the submenus that the client knows from before
	hears    map[int32]bool // those that it knows then
	from     int32          // the entry that was asked for: who asks for it knows it
	withheld bool           // something new was told without what is in it
}

// read returns the entry and what is below it, to a depth; below 0: all of it.
func (r *reading) read(id, depth int32) (layout, bool) {
	n := r.tree.nodes[id]
	if n == nil {
		return layout{}, false
	}
	l := layout{ID: id, Props: pick(n.props, r.only), Children: []dbus.Variant{}}
	if depth == 0 || len(n.children) == 0 {
		return l, true
	}
	if r.hears[id] = true; id != r.from && !r.heard[id] {
		r.withheld = true
		return l, true
	}
	for _, c := range n.children {
		child, _ := r.read(c, depth-1)
		l.Children = append(l.Children, dbus.MakeVariant(child))
	}
	return l, true
}

// pick returns the properties asked for; of none asked, all.
func pick(all map[string]dbus.Variant, only []string) map[string]dbus.Variant {
	if len(only) == 0 {
		return maps.Clone(all)
	}
	out := map[string]dbus.Variant{}
	for _, name := range only {
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return out
}
