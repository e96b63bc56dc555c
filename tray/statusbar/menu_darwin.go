package statusbar

import (
	"unsafe"

	"github.com/ebitengine/purego/objc"

	"github.com/cvlan/cvlan/tray/icon"
	"github.com/cvlan/cvlan/tray/menu"
)

const (
	points = 18 // of the menu bar's icons
	scale  = 2  // pixels a point on the displays of today
)

// size is NSSize.
type size struct{ W, H float64 }

func sel(name string) objc.SEL { return objc.RegisterName(name) }

func cls(name string) objc.ID { return objc.ID(objc.GetClass(name)) }

func send(to objc.ID, method string, args ...any) objc.ID { return to.Send(sel(method), args...) }

// str makes an NSString, which the pool of the event under way frees. Clean text has no zero in it.
func str(s string) objc.ID {
	b := append([]byte(s), 0)
	return send(cls("NSString"), "stringWithUTF8String:", unsafe.Pointer(&b[0]))
}

// refresh draws the icon anew.
func (p *Panel) refresh(objc.ID, objc.SEL, objc.ID) {
	p.mu.Lock()
	pic := p.picture
	p.mu.Unlock()
	png := icon.PNG(pic.Stand, points*scale)
	data := send(cls("NSData"), "dataWithBytes:length:", unsafe.Pointer(&png[0]), uint64(len(png)))
	im := send(send(cls("NSImage"), "alloc"), "initWithData:", data)
	send(im, "setSize:", size{points, points})
	button := send(p.item, "button")
	send(button, "setImage:", im)
	send(im, "release")
	send(button, "setToolTip:", str(pic.Title))
}

// fill makes the menu anew, just before it opens.
func (p *Panel) fill(_ objc.ID, _ objc.SEL, m objc.ID) {
	p.mu.Lock()
	entries := p.picture.Entries
	p.actions = nil
	p.mu.Unlock()
	send(m, "removeAllItems")
	p.build(m, entries)
}

func (p *Panel) build(m objc.ID, entries []menu.Entry) {
	for _, e := range entries {
		if e.Kind == menu.Separator {
			send(m, "addItem:", send(cls("NSMenuItem"), "separatorItem"))
			continue
		}
		item := send(send(cls("NSMenuItem"), "alloc"), "initWithTitle:action:keyEquivalent:", str(e.Label), sel("clicked:"), str(""))
		send(item, "setTarget:", p.target)
		send(item, "setTag:", p.tag(e.Action))
		send(item, "setEnabled:", !e.Disabled && (e.Action.Verb != menu.Nothing || len(e.Children) > 0))
		if e.Kind == menu.Check && e.Marked {
			send(item, "setState:", 1)
		}
		if len(e.Children) > 0 {
			sub := send(send(cls("NSMenu"), "alloc"), "init")
			send(sub, "setAutoenablesItems:", false)
			p.build(sub, e.Children)
			send(item, "setSubmenu:", sub)
			send(sub, "release")
		}
		send(m, "addItem:", item)
		send(item, "release")
	}
}

// tag numbers an action from 1; 0 is none.
func (p *Panel) tag(a menu.Action) int {
	if a.Verb == menu.Nothing {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.actions = append(p.actions, a)
	return len(p.actions)
}

// clicked posts what was chosen.
func (p *Panel) clicked(_ objc.ID, _ objc.SEL, item objc.ID) {
	tag := objc.Send[int](item, sel("tag"))
	p.mu.Lock()
	var a menu.Action
	if tag >= 1 && tag <= len(p.actions) {
		a = p.actions[tag-1]
	}
	p.mu.Unlock()
	if a.Verb == menu.Nothing {
		return
	}
	select {
	case p.clicks <- a:
	case <-p.gone:
	}
}

// finish takes the icon away and ends Loop.
func (p *Panel) finish(objc.ID, objc.SEL, objc.ID) {
	send(send(cls("NSStatusBar"), "systemStatusBar"), "removeStatusItem:", p.item)
	send(p.app, "stop:", objc.ID(0))
	// stop: takes effect after the next event only, so there is one.
	const applicationDefined = 15
	event := send(cls("NSEvent"), "otherEventWithType:location:modifierFlags:timestamp:windowNumber:context:subtype:data1:data2:",
		applicationDefined, size{}, 0, 0.0, 0, objc.ID(0), int16(0), 0, 0)
	send(p.app, "postEvent:atStart:", event, true)
}
