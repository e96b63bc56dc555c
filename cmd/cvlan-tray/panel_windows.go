package main

import (
	"context"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/desk"
	"github.com/cvlan/cvlan/tray/taskbar"
)

const hintPlace = "start it in a desktop session, or use cvlan tui"

// stand puts the icon into the taskbar and runs until it goes.
func stand(ctx context.Context, o options, d *desk.Desk, _ func(string)) error {
	p, err := taskbar.Open(ctx, o.wait, tray.First(d))
	if err != nil {
		return err
	}
	defer p.Close()
	return serve(ctx, o, d, p)
}
