package taskbar

import (
	"unsafe"

	"github.com/cvlan/cvlan/tray/menu"
)

// open shows the menu and posts what is chosen. It runs on the window's thread, which handles messages meanwhile.
func (p *Panel) open(x, y int32) {
	p.mu.Lock()
	entries := p.picture.Entries
	p.mu.Unlock()
	var c commands
	m := build(entries, &c)
	if m == 0 {
		return
	}
	defer destroyMenu.Call(m) // and what is below it
	// A menu closes when somebody clicks elsewhere only if its window is in front (KB135788).
	setForegroundWindow.Call(uintptr(p.window))
	chosen, _, _ := trackPopupMenuEx.Call(m, tpmReturnCommand|tpmNoNotify|tpmRightButton, uintptr(x), uintptr(y), uintptr(p.window), 0)
	p.post(wmNull)
	if a := c.action(uint32(chosen)); a.Verb != menu.Nothing {
		select {
		case p.clicks <- a:
		case <-p.closing:
		}
	}
}

// build makes a menu of entries; 0: Windows has no room for it.
func build(entries []menu.Entry, c *commands) uintptr {
	m, _, _ := createPopupMenu.Call()
	if m == 0 {
		return 0
	}
	for _, e := range entries {
		var flags, id uintptr
		switch {
		case e.Kind == menu.Separator:
			flags = mfSeparator
		case len(e.Children) > 0:
			flags, id = mfPopup, build(e.Children, c)
		default:
			id = uintptr(c.number(e.Action))
			if e.Disabled || id == 0 {
				flags |= mfGrayed
			}
			if e.Kind == menu.Check && e.Marked {
				flags |= mfChecked
			}
		}
		appendMenu.Call(m, flags, id, uintptr(unsafe.Pointer(utf16Ptr(label(e.Label)))))
	}
	return m
}
