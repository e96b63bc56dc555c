package sni

import (
	"errors"
	"maps"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/tray/menu"
)

const (
	// maxClients bounds those of whom it is known which submenus they have heard of.
	maxClients = 64
	// takeIn is how long a client has to make room for a new submenu.
	takeIn = 150 * time.Millisecond
)

// menuObject is com.canonical.dbusmenu: its exported methods are those of the interface.
type menuObject struct{ p *Panel }

var errNoEntry = dbus.MakeFailedError(errors.New("the menu has no such entry"))

// GetLayout tells of an entry and those below it. A submenu that a client has not heard of is told without what is in it: libdbusmenu asks for
// the look of entries before it has made room for them, and loses those of a submenu that is new. LayoutUpdated makes it ask again.
func (m menuObject) GetLayout(from dbus.Sender, parent, depth int32, only []string) (uint32, layout, *dbus.Error) {
	p := m.p
	p.mu.Lock()
	defer p.mu.Unlock()
	r := reading{tree: &p.tree, from: parent, only: only, heard: p.heard[from], hears: map[int32]bool{}}
	l, ok := r.read(parent, depth)
	if !ok {
		return 0, layout{Props: map[string]dbus.Variant{}, Children: []dbus.Variant{}}, errNoEntry
	}
	p.hear(from, parent, r.hears)
	if r.withheld {
		defer p.readAgain()
	}
	return p.tree.revision, l, nil
}

// hear keeps which submenus a client knows now. Who reads from the root knows those that there are, and no others. The caller holds p.mu.
func (p *Panel) hear(from dbus.Sender, parent int32, hears map[int32]bool) {
	if parent != 0 {
		maps.Copy(hears, p.heard[from])
		maps.DeleteFunc(hears, func(id int32, _ bool) bool { return p.tree.nodes[id] == nil })
	}
	if len(p.heard) >= maxClients {
		clear(p.heard)
	}
	p.heard[from] = hears
}

// readAgain has hosts read the menu once more, after they have taken in what they were just told. The caller holds p.mu.
func (p *Panel) readAgain() {
	p.tree.revision++
	revision := p.tree.revision
	time.AfterFunc(takeIn, func() { p.emit(menuPath, menuFace+".LayoutUpdated", revision, int32(0)) })
}

// entryProps is (ia{sv}).
type entryProps struct {
	ID    int32
	Props map[string]dbus.Variant
}

// GetGroupProperties tells how entries look; of none asked, all.
func (m menuObject) GetGroupProperties(ids []int32, only []string) ([]entryProps, *dbus.Error) {
	p := m.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(ids) == 0 {
		for id := range p.tree.nodes {
			ids = append(ids, id)
		}
	}
	out := []entryProps{}
	for _, id := range ids {
		if n := p.tree.nodes[id]; n != nil {
			out = append(out, entryProps{id, pick(n.props, only)})
		}
	}
	return out, nil
}

// GetProperty tells one property of an entry.
func (m menuObject) GetProperty(id int32, name string) (dbus.Variant, *dbus.Error) {
	p := m.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.tree.nodes[id]; n != nil {
		if v, ok := n.props[name]; ok {
			return v, nil
		}
	}
	return dbus.MakeVariant(""), errNoEntry
}

// Event is what a person did to an entry.
func (m menuObject) Event(id int32, what string, _ dbus.Variant, _ uint32) *dbus.Error {
	if what == "clicked" {
		m.p.click(id)
	}
	return nil
}

// event is (isvu).
type event struct {
	ID   int32
	What string
	Data dbus.Variant
	Time uint32
}

// EventGroup is several Events.
func (m menuObject) EventGroup(all []event) ([]int32, *dbus.Error) {
	for _, e := range all {
		_ = m.Event(e.ID, e.What, e.Data, e.Time)
	}
	return []int32{}, nil
}

// AboutToShow asks whether the menu must be read again first: changes are always told, so it need not.
func (m menuObject) AboutToShow(int32) (bool, *dbus.Error) { return false, nil }

// AboutToShowGroup is several of those.
func (m menuObject) AboutToShowGroup([]int32) (updates, faults []int32, err *dbus.Error) {
	return []int32{}, []int32{}, nil
}

// click posts what an entry asks for. It waits while the tray is behind, and then so does the caller at the bus: no click is dropped.
func (p *Panel) click(id int32) {
	p.mu.Lock()
	a := p.tree.action(id)
	p.mu.Unlock()
	if a.Verb != menu.Nothing {
		p.post(a)
	}
}

func (p *Panel) post(a menu.Action) {
	select {
	case p.clicks <- a:
	case <-p.gone:
	}
}
