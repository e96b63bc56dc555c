package sni

import (
	"html"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/tray/menu"
)

// removedProps is (ias): properties that have their default again.
type removedProps struct {
	ID    int32
	Names []string
}

// Show replaces what the panel shows. Only what changed is told.
func (p *Panel) Show(pic menu.Picture) {
	p.mu.Lock()
	before := p.picture
	p.picture = pic
	old := p.tree.nodes
	c := p.tree.grow(pic.Entries)
	revision := p.tree.revision
	updated, removed := []entryProps{}, []removedProps{}
	for _, id := range c.ids {
		n := p.tree.nodes[id]
		updated = append(updated, entryProps{id, pick(n.props, nil)})
		if names := dropped(old[id].props, n.props); len(names) > 0 {
			removed = append(removed, removedProps{id, names})
		}
	}
	p.mu.Unlock()

	if pic.Stand != before.Stand {
		p.emit(itemPath, itemFace+".NewIcon")
	}
	if pic.Title != before.Title || pic.Detail != before.Detail {
		p.emit(itemPath, itemFace+".NewToolTip")
	}
	if len(updated) > 0 {
		p.emit(menuPath, menuFace+".ItemsPropertiesUpdated", updated, removed)
	}
	if c.layout {
		p.emit(menuPath, menuFace+".LayoutUpdated", revision, int32(0))
	}
}

// dropped returns the properties that a node had and has no more.
func dropped(before, now map[string]dbus.Variant) (names []string) {
	for name := range before {
		if _, still := now[name]; !still {
			names = append(names, name)
		}
	}
	return names
}

// emit sends a signal. When it cannot, the bus has gone, and Gone says so.
func (p *Panel) emit(path dbus.ObjectPath, name string, values ...any) {
	_ = p.conn.Emit(path, name, values...)
}

// markup makes text safe where a desktop reads a subset of HTML.
func markup(s string) string { return html.EscapeString(s) }
