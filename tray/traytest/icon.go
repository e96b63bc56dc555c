package traytest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Icon waits for an icon to register.
func (d *Desktop) Icon() *Icon {
	d.t.Helper()
	select {
	case from := <-d.registered:
		return d.icon(string(from))
	case <-time.After(patience):
		d.t.Fatal("no icon registered")
	}
	return nil
}

func (d *Desktop) icon(owner string) *Icon {
	i := &Icon{d: d, item: d.Bus.Object(owner, "/StatusNotifierItem")}
	path, ok := i.Property("Menu").(dbus.ObjectPath)
	if !ok {
		d.t.Fatal("the icon has no menu")
	}
	i.menu = d.Bus.Object(owner, path)
	return i
}

// Icon is an icon as a host sees it.
type Icon struct {
	d    *Desktop
	item dbus.BusObject
	menu dbus.BusObject
}

// Property reads one of the item's.
func (i *Icon) Property(name string) any {
	i.d.t.Helper()
	var v dbus.Variant
	if err := i.item.Call("org.freedesktop.DBus.Properties.Get", 0, "org.kde.StatusNotifierItem", name).Store(&v); err != nil {
		i.d.t.Fatal(name, err)
	}
	return v.Value()
}

// Tooltip returns its title and text.
func (i *Icon) Tooltip() (title, text string) {
	v, _ := i.Property("ToolTip").([]any)
	if len(v) != 4 {
		i.d.t.Fatalf("tooltip %v", v)
	}
	title, _ = v[2].(string)
	text, _ = v[3].(string)
	return title, text
}

// Pixmaps returns the icon's pictures by width, in ARGB.
func (i *Icon) Pixmaps() map[int32][]byte {
	i.d.t.Helper()
	var all []struct {
		W, H int32
		ARGB []byte
	}
	if err := dbus.Store([]any{i.Property("IconPixmap")}, &all); err != nil {
		i.d.t.Fatal(err)
	}
	out := map[int32][]byte{}
	for _, p := range all {
		if p.W != p.H || len(p.ARGB) != int(4*p.W*p.H) {
			i.d.t.Fatalf("a picture of %d by %d has %d bytes", p.W, p.H, len(p.ARGB))
		}
		out[p.W] = p.ARGB
	}
	return out
}

// Entry is a menu entry as a host reads it.
type Entry struct {
	ID       int32
	Depth    int
	Label    string
	Enabled  bool
	Check    bool
	Marked   bool
	Line     bool
	Children int
}

type wire struct {
	ID       int32
	Props    map[string]dbus.Variant
	Children []dbus.Variant
}

func (i *Icon) layout(parent, depth int32) (wire, error) {
	var revision uint32
	var root wire
	err := i.menu.Call(menuFace+".GetLayout", 0, parent, depth, []string{}).Store(&revision, &root)
	return root, err
}

// Menu reads the whole menu, in order. What is in a submenu that is new comes with the next reading.
func (i *Icon) Menu() (all []Entry) {
	i.d.t.Helper()
	var err error
	for range 4 {
		var root wire
		if root, err = i.layout(0, -1); err != nil {
			i.d.t.Fatal(err)
		}
		all = nil
		if err = flatten(root.Children, 0, &all); err == nil {
			return all
		}
	}
	i.d.t.Fatal(err)
	return nil
}

func flatten(children []dbus.Variant, depth int, all *[]Entry) error {
	for _, c := range children {
		var w wire
		if err := dbus.Store([]any{c.Value()}, &w); err != nil {
			return err
		}
		e := Entry{ID: w.ID, Depth: depth, Enabled: true, Children: len(w.Children)}
		e.Label, _ = w.Props["label"].Value().(string)
		if v, ok := w.Props["enabled"].Value().(bool); ok {
			e.Enabled = v
		}
		e.Check = w.Props["toggle-type"].Value() == "checkmark"
		e.Marked = w.Props["toggle-state"].Value() == int32(1)
		e.Line = w.Props["type"].Value() == "separator"
		if shows := w.Props["children-display"].Value() == "submenu"; shows != (len(w.Children) > 0) {
			return fmt.Errorf("%q: it has %d children, and says it shows some: %v", e.Label, len(w.Children), shows)
		}
		*all = append(*all, e)
		if err := flatten(w.Children, depth+1, all); err != nil {
			return err
		}
	}
	return nil
}

// Text writes the menu as people see it, a line each.
func Text(all []Entry) string {
	var b strings.Builder
	for _, e := range all {
		b.WriteString(strings.Repeat("    ", e.Depth))
		switch {
		case e.Line:
			b.WriteString("---")
		case e.Check && e.Marked:
			b.WriteString("[x] ")
		case e.Check:
			b.WriteString("[ ] ")
		case !e.Enabled:
			b.WriteString("( ) ")
		}
		b.WriteString(e.Label + "\n")
	}
	return b.String()
}

var errNoEntry = errors.New("no such entry")

// Find returns the first entry whose label begins with start.
func (i *Icon) Find(start string) (Entry, error) {
	i.d.t.Helper()
	all := i.Menu()
	if n := slices.IndexFunc(all, func(e Entry) bool { return strings.HasPrefix(e.Label, start) }); n >= 0 {
		return all[n], nil
	}
	return Entry{}, fmt.Errorf("%w %q in:\n%s", errNoEntry, start, Text(all))
}

// Await waits until the menu has an entry whose label begins with start.
func (i *Icon) Await(start string) Entry {
	i.d.t.Helper()
	var e Entry
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if e, err = i.Find(start); err == nil {
			return e
		}
		if time.Now().After(end) {
			i.d.t.Fatal(err)
		}
	}
}

// Click clicks the entry whose label begins with start, once.
func (i *Icon) Click(start string) {
	i.d.t.Helper()
	e, err := i.Find(start)
	if err != nil {
		i.d.t.Fatal(err)
	}
	i.ClickID(e.ID)
}

// ClickID clicks an entry that was read before.
func (i *Icon) ClickID(id int32) {
	i.d.t.Helper()
	if err := i.menu.Call(menuFace+".Event", 0, id, "clicked", dbus.MakeVariant(""), uint32(0)).Err; err != nil {
		i.d.t.Fatal(err)
	}
}

// Hammer clicks an entry many times without waiting in between.
func (d *Desktop) Hammer(i *Icon, id int32, times int) {
	d.t.Helper()
	for range times {
		if err := i.menu.Call(menuFace+".Event", dbus.FlagNoReplyExpected, id, "clicked", dbus.MakeVariant(""), uint32(0)).Err; err != nil {
			d.t.Fatal(err)
		}
	}
}

// Below reads the menu once and returns how many entries it tells in the submenu of a label.
func (i *Icon) Below(label string) int {
	i.d.t.Helper()
	root, err := i.layout(0, -1)
	if err != nil {
		i.d.t.Fatal(err)
	}
	for _, c := range root.Children {
		var w wire
		if err := dbus.Store([]any{c.Value()}, &w); err != nil {
			i.d.t.Fatal(err)
		}
		if w.Props["label"].Value() == label {
			return len(w.Children)
		}
	}
	i.d.t.Fatalf("%v %q", errNoEntry, label)
	return 0
}

// Asked asks for what is in one entry, a level deep, as libdbusmenu-qt does when a submenu opens, and returns how many entries that are.
func (i *Icon) Asked(id int32) int {
	i.d.t.Helper()
	w, err := i.layout(id, 1)
	if err != nil {
		i.d.t.Fatal(err)
	}
	return len(w.Children)
}
