package main

import (
	"context"
	"runtime"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/desk"
	"github.com/cvlan/cvlan/tray/statusbar"
)

const hintPlace = "start it in a desktop session, or use cvlan tui"

// init keeps the main goroutine on the process's first thread: AppKit works nowhere else, and only an init can ask for it.
func init() { runtime.LockOSThread() }

// stand puts the icon into the menu bar and runs until it goes. AppKit's loop has this thread, the tray another.
func stand(ctx context.Context, o options, d *desk.Desk, _ func(string)) error {
	p, err := statusbar.Open(tray.First(d))
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		err := serve(ctx, o, d, p)
		p.Close()
		done <- err
	}()
	p.Loop()
	return <-done
}
