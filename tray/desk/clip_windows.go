package desk

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// clipboard is nothing to keep: Windows stores the text.
type clipboard struct{}

var (
	user32           = windows.NewLazySystemDLL("user32.dll")
	kernel32         = windows.NewLazySystemDLL("kernel32.dll")
	openClipboard    = user32.NewProc("OpenClipboard")
	emptyClipboard   = user32.NewProc("EmptyClipboard")
	setClipboardData = user32.NewProc("SetClipboardData")
	closeClipboard   = user32.NewProc("CloseClipboard")
	globalAlloc      = kernel32.NewProc("GlobalAlloc")
	globalLock       = kernel32.NewProc("GlobalLock")
	globalUnlock     = kernel32.NewProc("GlobalUnlock")
	globalFree       = kernel32.NewProc("GlobalFree")
	moveMemory       = kernel32.NewProc("RtlMoveMemory")
)

const (
	cfUnicodeText = 13
	gmemMoveable  = 2
)

// Copy puts text into the clipboard. Another program may have it open for a moment.
func (d *Desk) Copy(ctx context.Context, text string) error {
	u, err := windows.UTF16FromString(text)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	runtime.LockOSThread() // whoever opens the clipboard must close it
	defer runtime.UnlockOSThread()
	for {
		ok, _, err := openClipboard.Call(0)
		if ok != 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("copy %s: another program holds the clipboard: %w", text, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	defer closeClipboard.Call()
	emptyClipboard.Call()
	if !store(u) {
		return errors.New("copy " + text + ": Windows does not take it")
	}
	return nil
}

// store hands a text over to the clipboard, which is open.
func store(u []uint16) bool {
	size := uintptr(2 * len(u))
	h, _, _ := globalAlloc.Call(gmemMoveable, size)
	if h == 0 {
		return false
	}
	if at, _, _ := globalLock.Call(h); at != 0 {
		moveMemory.Call(at, uintptr(unsafe.Pointer(&u[0])), size)
		globalUnlock.Call(h)
		if ok, _, _ := setClipboardData.Call(cfUnicodeText, h); ok != 0 {
			return true // it is the clipboard's now
		}
	}
	globalFree.Call(h)
	return false
}

// Close has nothing to give up.
func (d *Desk) Close() {}
