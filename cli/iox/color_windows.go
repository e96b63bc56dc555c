package iox

import (
	"os"

	"golang.org/x/sys/windows"
)

// colors asks the console to understand escape sequences, and reports whether it does.
func colors(f *os.File) bool {
	var mode uint32
	h := windows.Handle(f.Fd())
	if windows.GetConsoleMode(h, &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
