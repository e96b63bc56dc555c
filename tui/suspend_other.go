//go:build !unix

package tui

import "os"

// There is no job control here.

func hearStops(chan os.Signal) (leave func()) { return func() {} }

func stoppable() bool { return false }

func halt() {}
