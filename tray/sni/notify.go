package sni

import (
	"context"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/tray/icon"
	"github.com/cvlan/cvlan/tray/menu"
)

const (
	noteName = "org.freedesktop.Notifications"
	notePath = dbus.ObjectPath("/org/freedesktop/Notifications")
	// maxReplaced bounds the keys of messages whose numbers are kept.
	maxReplaced = 64
	noteIcon    = 48 // pixels
)

// rawImage is (iiibiiay), the hint image-data.
type rawImage struct {
	W, H, Stride int32
	Alpha        bool
	Bits, Parts  int32
	Data         []byte
}

// Notify shows a message. It does not wait for the desktop; when many wait already, this one is dropped.
func (p *Panel) Notify(n menu.Notice) {
	select {
	case p.notices <- n:
	default:
		p.log("a notification was dropped: the desktop does not take them")
	}
}

// showNotices runs until the bus has gone.
func (p *Panel) showNotices() {
	shown := map[string]uint32{}
	for {
		select {
		case <-p.gone:
			return
		case n := <-p.notices:
			id, err := p.notify(n, shown[n.Key])
			if err != nil {
				p.log("the desktop shows no notifications: " + err.Error())
				continue
			}
			if len(shown) >= maxReplaced {
				clear(shown)
			}
			shown[n.Key] = id
		}
	}
}

func (p *Panel) notify(n menu.Notice, replaces uint32) (id uint32, err error) {
	ctx, cancel := context.WithTimeout(p.conn.Context(), callTimeout)
	defer cancel()
	o := p.conn.Object(noteName, notePath)
	var can []string
	if err := o.CallWithContext(ctx, noteName+".GetCapabilities", 0).Store(&can); err != nil {
		return 0, err
	}
	text := n.Text
	if slices.Contains(can, "body-markup") {
		text = markup(text)
	}
	urgency := byte(1)
	if n.Urgent {
		urgency = 2
	}
	im := icon.Draw(n.Stand, noteIcon)
	hints := map[string]dbus.Variant{
		"urgency":       dbus.MakeVariant(urgency),
		"desktop-entry": dbus.MakeVariant("cvlan-tray"),
		"image-data":    dbus.MakeVariant(rawImage{noteIcon, noteIcon, 4 * noteIcon, true, 8, 4, im.Pix}),
	}
	err = o.CallWithContext(ctx, noteName+".Notify", 0, "CloudVLAN", replaces, "", n.Title, text, []string{}, hints, int32(-1)).Store(&id)
	return id, err
}
