package traytest

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	noteName    = "org.freedesktop.Notifications"
	menuFace    = "com.canonical.dbusmenu"
	patience    = 20 * time.Second
)

// Desktop is a session without a screen.
type Desktop struct {
	Address string
	Bus     *dbus.Conn
	Notes   chan Note

	t          testing.TB
	daemon     *exec.Cmd
	properties *prop.Properties
	registered chan dbus.Sender
	markup     bool
}

// Note is a notification as the desktop was asked to show it.
type Note struct {
	ID, Replaces uint32
	Title, Text  string
	Urgency      byte
}

// New starts a session's bus, and skips the story where there is no dbus-daemon. Host makes a panel in it.
func New(t testing.TB) *Desktop {
	t.Helper()
	path, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("SKIPPED: no story of the tray without dbus-daemon; install the package dbus")
	}
	d := &Desktop{t: t, Address: "unix:path=" + filepath.Join(t.TempDir(), "bus"), registered: make(chan dbus.Sender, 16), Notes: make(chan Note, 64), markup: true}
	d.daemon = exec.Command(path, "--session", "--nofork", "--nopidfile", "--address="+d.Address)
	if err := d.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Kill)
	d.Until("the bus answers", func() bool {
		d.Bus, err = dbus.Connect(d.Address)
		return err == nil
	})
	t.Cleanup(func() { d.Bus.Close() })
	return d
}

// Kill ends the bus.
func (d *Desktop) Kill() {
	_ = d.daemon.Process.Kill()
	_ = d.daemon.Wait()
}

// Until waits for something that others do.
func (d *Desktop) Until(what string, done func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("it never came to pass that %s", what)
		}
	}
}

// watcher is org.kde.StatusNotifierWatcher.
type watcher struct{ d *Desktop }

func (w watcher) RegisterStatusNotifierItem(_ string, from dbus.Sender) *dbus.Error {
	w.d.registered <- from
	return nil
}

func (w watcher) RegisterStatusNotifierHost(string) *dbus.Error { return nil }

// Watcher makes a watcher, with a host or without one yet.
func (d *Desktop) Watcher(host bool) {
	d.t.Helper()
	if err := d.Bus.Export(watcher{d}, "/StatusNotifierWatcher", watcherName); err != nil {
		d.t.Fatal(err)
	}
	var err error
	d.properties, err = prop.Export(d.Bus, "/StatusNotifierWatcher", prop.Map{watcherName: {
		"IsStatusNotifierHostRegistered": {Value: host},
		"ProtocolVersion":                {Value: int32(0)},
	}})
	if err != nil {
		d.t.Fatal(err)
	}
	if got, err := d.Bus.RequestName(watcherName, dbus.NameFlagDoNotQueue); err != nil || got != dbus.RequestNameReplyPrimaryOwner {
		d.t.Fatal(got, err)
	}
}

// HostComes tells that the watcher has a host now.
func (d *Desktop) HostComes() {
	d.properties.SetMust(watcherName, "IsStatusNotifierHostRegistered", true)
	if err := d.Bus.Emit("/StatusNotifierWatcher", watcherName+".StatusNotifierHostRegistered"); err != nil {
		d.t.Fatal(err)
	}
}

// PanelGoes takes the watcher away, as a panel that crashes does.
func (d *Desktop) PanelGoes() {
	if _, err := d.Bus.ReleaseName(watcherName); err != nil {
		d.t.Fatal(err)
	}
}

// notes is org.freedesktop.Notifications.
type notes struct {
	d    *Desktop
	last *uint32
}

func (n notes) GetCapabilities() ([]string, *dbus.Error) {
	if n.d.markup {
		return []string{"body", "body-markup"}, nil
	}
	return []string{"body"}, nil
}

func (n notes) Notify(_ string, replaces uint32, _, title, text string, _ []string, hints map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	id := replaces
	if id == 0 {
		*n.last++
		id = *n.last
	}
	urgency, _ := hints["urgency"].Value().(byte)
	n.d.Notes <- Note{id, replaces, title, text, urgency}
	return id, nil
}

// Notifications makes the desktop show them; with markup, the text is read as HTML.
func (d *Desktop) Notifications(markup bool) {
	d.t.Helper()
	d.markup = markup
	if err := d.Bus.Export(notes{d, new(uint32)}, "/org/freedesktop/Notifications", noteName); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.Bus.RequestName(noteName, dbus.NameFlagDoNotQueue); err != nil {
		d.t.Fatal(err)
	}
}

// Note waits for the next notification.
func (d *Desktop) Note() Note {
	d.t.Helper()
	select {
	case n := <-d.Notes:
		return n
	case <-time.After(patience):
		d.t.Fatal("no notification came")
	}
	return Note{}
}

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
	i.layout(-1) // the first answer holds one level only, whatever was asked for
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

func (i *Icon) layout(depth int32) (wire, error) {
	var revision uint32
	var root wire
	err := i.menu.Call(menuFace+".GetLayout", 0, int32(0), depth, []string{}).Store(&revision, &root)
	return root, err
}

// Menu reads the whole menu, in order.
func (i *Icon) Menu() []Entry {
	i.d.t.Helper()
	root, err := i.layout(-1)
	if err != nil {
		i.d.t.Fatal(err)
	}
	var all []Entry
	if err := flatten(root.Children, 0, &all); err != nil {
		i.d.t.Fatal(err)
	}
	return all
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

// Named waits until a name has an owner.
func (d *Desktop) Named(name string) {
	d.t.Helper()
	d.Until(name+" is there", func() bool {
		var has bool
		return d.Bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&has) == nil && has
	})
}

// Signals returns what icons and menus tell from now on.
func (d *Desktop) Signals() <-chan *dbus.Signal {
	d.t.Helper()
	ch := make(chan *dbus.Signal, 256)
	d.Bus.Signal(ch)
	for _, face := range []string{"org.kde.StatusNotifierItem", menuFace} {
		if err := d.Bus.AddMatchSignal(dbus.WithMatchInterface(face)); err != nil {
			d.t.Fatal(err)
		}
	}
	return ch
}
