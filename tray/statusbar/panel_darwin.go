// Package statusbar puts the tray's icon into the menu bar of macOS. It calls AppKit through purego, so the program needs no cgo and is
// built on any system. AppKit belongs to the main thread: Loop runs there, and what other goroutines change is posted to it.
//
// The menu is made anew whenever it opens, so the entry that is chosen is the one that was read.
package statusbar

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/menu"
)

const (
	maxClicks  = 64 // as many wait; more make the menu wait
	maxNotices = 16 // as many wait; more are dropped
	noteTime   = 5 * time.Second
)

// Panel is the icon. It is safe for concurrent use, but for Loop.
type Panel struct {
	app, item, target objc.ID
	lock              *os.File
	clicks            chan menu.Action
	notices           chan menu.Notice
	gone              chan struct{} // closed by Close
	wg                sync.WaitGroup

	mu      sync.Mutex
	picture menu.Picture
	actions []menu.Action // of the menu that is open, by tag
}

// Open takes the session's one place and shows first. It must run on the main thread.
func Open(first menu.Picture) (*Panel, error) {
	lock, err := takePlace()
	if err != nil {
		return nil, err
	}
	p := &Panel{lock: lock, clicks: make(chan menu.Action, maxClicks), notices: make(chan menu.Notice, maxNotices), gone: make(chan struct{}), picture: first}
	if err := p.open(); err != nil {
		lock.Close()
		return nil, err
	}
	p.wg.Go(p.showNotices)
	return p, nil
}

// takePlace locks a file of this user's: there is one tray.
func takePlace() (*os.File, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("mark this session's tray: %w", err)
	}
	dir = filepath.Join(dir, "cvlan")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mark this session's tray: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "tray.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("mark this session's tray: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, tray.ErrRunning
		}
		return nil, fmt.Errorf("mark this session's tray: %w", err)
	}
	return f, nil
}

func (p *Panel) open() error {
	if _, err := purego.Dlopen("/System/Library/Frameworks/AppKit.framework/AppKit", purego.RTLD_GLOBAL|purego.RTLD_LAZY); err != nil {
		return fmt.Errorf("%w: %w", tray.ErrNoSession, err)
	}
	class, err := objc.RegisterClass("CVLANTray", objc.GetClass("NSObject"), nil, nil, []objc.MethodDef{
		{Cmd: sel("clicked:"), Fn: p.clicked},
		{Cmd: sel("refresh:"), Fn: p.refresh},
		{Cmd: sel("finish:"), Fn: p.finish},
		{Cmd: sel("menuNeedsUpdate:"), Fn: p.fill},
	})
	if err != nil {
		return fmt.Errorf("make the tray's class: %w", err)
	}
	const accessory = 1 // NSApplicationActivationPolicyAccessory: no icon in the Dock
	const variable = -1.0
	p.app = send(cls("NSApplication"), "sharedApplication")
	send(p.app, "setActivationPolicy:", accessory)
	p.target = send(send(objc.ID(class), "alloc"), "init")
	p.item = send(send(send(cls("NSStatusBar"), "systemStatusBar"), "statusItemWithLength:", variable), "retain")
	m := send(send(cls("NSMenu"), "alloc"), "init")
	send(m, "setAutoenablesItems:", false)
	send(m, "setDelegate:", p.target)
	send(p.item, "setMenu:", m)
	p.refresh(p.target, 0, 0)
	return nil
}

// Loop handles the person's clicks until Close. It must run on the main thread.
func (p *Panel) Loop() { send(p.app, "run") }

// post has the main thread call a method of the target, soon.
func (p *Panel) post(method string) {
	send(p.target, "performSelectorOnMainThread:withObject:waitUntilDone:", sel(method), objc.ID(0), false)
}

// Show replaces what the panel shows.
func (p *Panel) Show(pic menu.Picture) {
	p.mu.Lock()
	same := pic.Stand == p.picture.Stand && pic.Title == p.picture.Title
	p.picture = pic
	p.mu.Unlock()
	if !same {
		p.post("refresh:")
	}
}

// Notify shows a message; when many wait already, it is dropped.
func (p *Panel) Notify(n menu.Notice) {
	select {
	case p.notices <- n:
	default:
	}
}

// noteScript takes title and text as arguments, so nothing in them is read as script.
const noteScript = `on run argv
display notification (item 2 of argv) with title (item 1 of argv)
end run`

func (p *Panel) showNotices() {
	for {
		select {
		case <-p.gone:
			return
		case n := <-p.notices:
			ctx, cancel := context.WithTimeout(context.Background(), noteTime)
			_ = exec.CommandContext(ctx, "/usr/bin/osascript", "-e", noteScript, n.Title, n.Text).Run() // nothing better is left to tell it
			cancel()
		}
	}
}

// Clicks delivers what was chosen, in order.
func (p *Panel) Clicks() <-chan menu.Action { return p.clicks }

// Gone is closed by Close: macOS ends programs with their session.
func (p *Panel) Gone() <-chan struct{} { return p.gone }

// Err says why Gone was closed.
func (p *Panel) Err() error { return tray.ErrEnded }

// Close takes the icon away and ends Loop; it is called once, by any goroutine.
func (p *Panel) Close() {
	close(p.gone)
	p.wg.Wait()
	p.post("finish:")
}
