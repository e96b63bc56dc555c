package traytest

import (
	"time"

	"github.com/godbus/dbus/v5"
)

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
