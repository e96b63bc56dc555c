package traytest

import (
	"os/exec"
	"path/filepath"
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
