package taskbar

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/icon"
	"github.com/cvlan/cvlan/tray/menu"
)

const (
	// Messages of ours to the window.
	wmIcon = wmApp + iota // from the shell: something was done to the icon
	wmShow                // there is a new picture
	wmNote                // there is a notice

	iconID     = 1
	maxClicks  = 64 // as many wait; more make the menu wait
	maxNotices = 16 // as many wait; more are dropped
)

// Panel is the icon. It is safe for concurrent use.
type Panel struct {
	window  windows.HWND
	created uint32 // the message that the taskbar has come anew
	icon    windows.Handle
	mutex   windows.Handle
	clicks  chan menu.Action
	notices chan menu.Notice
	closing chan struct{}
	gone    chan struct{}

	mu      sync.Mutex
	picture menu.Picture
}

// Open takes the session's one place, waits for a taskbar at most wait, and shows first.
func Open(ctx context.Context, wait time.Duration, first menu.Picture) (*Panel, error) {
	m, err := windows.CreateMutex(nil, false, utf16Ptr(`Local\net.cvlan.tray`))
	if errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		windows.CloseHandle(m)
		return nil, tray.ErrRunning
	}
	if err != nil {
		return nil, fmt.Errorf("mark this session's tray: %w", err)
	}
	p := &Panel{mutex: m, clicks: make(chan menu.Action, maxClicks), notices: make(chan menu.Notice, maxNotices), closing: make(chan struct{}), gone: make(chan struct{}), picture: first}
	opened := make(chan error, 1)
	go p.run(opened)
	if err := <-opened; err != nil {
		windows.CloseHandle(m)
		return nil, err
	}
	for end := time.Now().Add(wait); !p.add(); {
		if ctx.Err() != nil || time.Now().After(end) {
			p.Close()
			return nil, fmt.Errorf("%w: the taskbar takes none", tray.ErrNoPlace)
		}
		time.Sleep(250 * time.Millisecond)
	}
	return p, nil
}

// run owns the window: its messages arrive at the thread that made it.
func (p *Panel) run(opened chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.gone)
	if err := p.makeWindow(); err != nil {
		opened <- err
		return
	}
	opened <- nil
	var m message
	for {
		got, _, _ := getMessage.Call(uintptr(unsafe.Pointer(&m)), 0, 0, 0)
		if int32(got) <= 0 {
			return
		}
		dispatchMessage.Call(uintptr(unsafe.Pointer(&m)))
	}
}

// makeWindow makes one that is never shown; not a message-only window, which would not hear that the taskbar has come anew.
func (p *Panel) makeWindow() error {
	name := utf16Ptr("net.cvlan.tray")
	created, _, _ := registerWindowMessage.Call(uintptr(unsafe.Pointer(utf16Ptr("TaskbarCreated"))))
	p.created = uint32(created)
	class := wndClassEx{proc: windows.NewCallback(p.proc), className: name}
	class.size = uint32(unsafe.Sizeof(class))
	if ok, _, err := registerClassEx.Call(uintptr(unsafe.Pointer(&class))); ok == 0 {
		return fmt.Errorf("register the tray's window class: %w", err)
	}
	w, _, err := createWindowEx.Call(0, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(utf16Ptr("CloudVLAN"))), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	if w == 0 {
		return fmt.Errorf("make the tray's window: %w", err)
	}
	p.window = windows.HWND(w)
	return nil
}

// proc handles the window's messages.
func (p *Panel) proc(w windows.HWND, number uint32, wParam, lParam uintptr) uintptr {
	switch number {
	case wmIcon:
		switch lParam & 0xffff {
		case wmContextMenu, ninSelect, ninKeySelect:
			p.open(int32(int16(wParam)), int32(int16(wParam>>16)))
		}
	case wmShow:
		p.modify()
	case wmNote:
		p.balloons()
	case wmClose:
		notify(nimDelete, &notifyIconData{window: w, id: iconID})
		destroyWindow.Call(uintptr(w))
	case wmDestroy, wmEndSession:
		postQuitMessage.Call(0)
	default:
		if number == p.created {
			p.add()
		}
		r, _, _ := defWindowProc.Call(uintptr(w), uintptr(number), wParam, lParam)
		return r
	}
	return 0
}

// data describes the icon as it is to look.
func (p *Panel) data() *notifyIconData {
	p.mu.Lock()
	pic := p.picture
	p.mu.Unlock()
	d := &notifyIconData{window: p.window, id: iconID, flags: nifMessage | nifIcon | nifTip | nifShowTip, callback: wmIcon, icon: load(pic.Stand)}
	put(d.tip[:], pic.Title)
	return d
}

// load makes an icon in the size that this display wants.
func load(s menu.Stand) windows.Handle {
	n, _, _ := getSystemMetrics.Call(smCXSmIcon)
	n = min(max(n, 16), 256)
	dib := icon.DIB(s, int(n))
	h, _, _ := createIconFromResourceEx.Call(uintptr(unsafe.Pointer(&dib[0])), uintptr(len(dib)), 1, iconVersion, n, n, 0)
	return windows.Handle(h)
}

// add puts the icon into the taskbar and reports whether there is one.
func (p *Panel) add() bool {
	d := p.data()
	ok := notify(nimAdd, d)
	if ok {
		notify(nimSetVersion, &notifyIconData{window: p.window, id: iconID, version: iconVersion4})
	}
	p.swap(d.icon)
	return ok
}

func (p *Panel) modify() {
	d := p.data()
	notify(nimModify, d)
	p.swap(d.icon)
}

// swap frees the icon that was shown before.
func (p *Panel) swap(h windows.Handle) {
	p.mu.Lock()
	old := p.icon
	p.icon = h
	p.mu.Unlock()
	if old != 0 {
		destroyIcon.Call(uintptr(old))
	}
}

// balloons shows the notices that wait.
func (p *Panel) balloons() {
	for {
		select {
		case n := <-p.notices:
			d := &notifyIconData{window: p.window, id: iconID, flags: nifInfo | nifShowTip, infoFlags: niifInfo}
			if n.Urgent {
				d.infoFlags = niifWarning
			}
			put(d.infoTitle[:], n.Title)
			put(d.info[:], n.Text)
			if n.Text == "" { // an empty text would take the message away
				put(d.info[:], n.Title)
			}
			notify(nimModify, d)
		default:
			return
		}
	}
}

// post wakes the window's thread.
func (p *Panel) post(number uint32) { postMessage.Call(uintptr(p.window), uintptr(number), 0, 0) }

// Show replaces what the panel shows.
func (p *Panel) Show(pic menu.Picture) {
	p.mu.Lock()
	same := pic.Stand == p.picture.Stand && pic.Title == p.picture.Title
	p.picture = pic
	p.mu.Unlock()
	if !same {
		p.post(wmShow)
	}
}

// Notify shows a message; when many wait already, it is dropped.
func (p *Panel) Notify(n menu.Notice) {
	select {
	case p.notices <- n:
		p.post(wmNote)
	default:
	}
}

// Clicks delivers what was chosen, in order.
func (p *Panel) Clicks() <-chan menu.Action { return p.clicks }

// Gone is closed when the session ends.
func (p *Panel) Gone() <-chan struct{} { return p.gone }

// Err says why Gone was closed.
func (p *Panel) Err() error { return tray.ErrEnded }

// Close takes the icon away; it is called once. When it returns nothing of the panel runs.
func (p *Panel) Close() {
	close(p.closing)
	p.post(wmClose)
	<-p.gone
	windows.CloseHandle(p.mutex)
}
