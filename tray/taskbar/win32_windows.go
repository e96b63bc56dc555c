package taskbar

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// What is used of the Windows API, by its own names. Sizes and offsets are those of 64-bit Windows.

var (
	user32  = windows.NewLazySystemDLL("user32.dll")
	shell32 = windows.NewLazySystemDLL("shell32.dll")

	registerClassEx          = user32.NewProc("RegisterClassExW")
	createWindowEx           = user32.NewProc("CreateWindowExW")
	destroyWindow            = user32.NewProc("DestroyWindow")
	defWindowProc            = user32.NewProc("DefWindowProcW")
	getMessage               = user32.NewProc("GetMessageW")
	dispatchMessage          = user32.NewProc("DispatchMessageW")
	postMessage              = user32.NewProc("PostMessageW")
	postQuitMessage          = user32.NewProc("PostQuitMessage")
	registerWindowMessage    = user32.NewProc("RegisterWindowMessageW")
	setForegroundWindow      = user32.NewProc("SetForegroundWindow")
	createPopupMenu          = user32.NewProc("CreatePopupMenu")
	appendMenu               = user32.NewProc("AppendMenuW")
	destroyMenu              = user32.NewProc("DestroyMenu")
	trackPopupMenuEx         = user32.NewProc("TrackPopupMenuEx")
	createIconFromResourceEx = user32.NewProc("CreateIconFromResourceEx")
	destroyIcon              = user32.NewProc("DestroyIcon")
	getSystemMetrics         = user32.NewProc("GetSystemMetrics")
	shellNotifyIcon          = shell32.NewProc("Shell_NotifyIconW")
)

const (
	wmNull           = 0
	wmDestroy        = 0x02
	wmClose          = 0x10
	wmEndSession     = 0x16
	wmContextMenu    = 0x7b
	wmUser           = 0x400
	wmApp            = 0x8000
	ninSelect        = wmUser
	ninKeySelect     = wmUser + 1
	nimAdd           = 0
	nimModify        = 1
	nimDelete        = 2
	nimSetVersion    = 4
	nifMessage       = 0x01
	nifIcon          = 0x02
	nifTip           = 0x04
	nifInfo          = 0x10
	nifShowTip       = 0x80
	niifInfo         = 1
	niifWarning      = 2
	iconVersion4     = 4
	mfGrayed         = 0x01
	mfChecked        = 0x08
	mfPopup          = 0x10
	mfSeparator      = 0x800
	tpmRightButton   = 0x02
	tpmNoNotify      = 0x80
	tpmReturnCommand = 0x100
	smCXSmIcon       = 49
	iconVersion      = 0x00030000
)

// wndClassEx is WNDCLASSEXW.
type wndClassEx struct {
	size, style      uint32
	proc             uintptr
	clsExtra, wExtra int32
	instance         windows.Handle
	icon             windows.Handle
	cursor           windows.Handle
	background       windows.Handle
	menuName         *uint16
	className        *uint16
	smallIcon        windows.Handle
}

// message is MSG.
type message struct {
	window  windows.HWND
	number  uint32
	wParam  uintptr
	lParam  uintptr
	time    uint32
	x, y    int32
	private uint32
}

// notifyIconData is NOTIFYICONDATAW.
type notifyIconData struct {
	size        uint32
	window      windows.HWND
	id          uint32
	flags       uint32
	callback    uint32
	icon        windows.Handle
	tip         [128]uint16
	state       uint32
	stateMask   uint32
	info        [256]uint16
	version     uint32
	infoTitle   [64]uint16
	infoFlags   uint32
	guid        windows.GUID
	balloonIcon windows.Handle
}

func utf16Ptr(s string) *uint16 {
	p, err := windows.UTF16PtrFromString(s)
	if err != nil { // a zero within: clean text has none
		return new(uint16)
	}
	return p
}

// notify calls Shell_NotifyIcon and reports whether the shell took it.
func notify(what uintptr, d *notifyIconData) bool {
	d.size = uint32(unsafe.Sizeof(*d))
	ok, _, _ := shellNotifyIcon.Call(what, uintptr(unsafe.Pointer(d)))
	return ok != 0
}
