//go:build !windows && !darwin

package main

import (
	"context"
	"os"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/desk"
	"github.com/cvlan/cvlan/tray/sni"
)

const hintPlace = "GNOME shows icons with its extension AppIndicator; without a panel, use cvlan tui"

// stand puts the icon into the panel and runs until it goes.
func stand(ctx context.Context, o options, d *desk.Desk, log func(string)) error {
	address, err := sni.SessionBus(os.Getenv)
	if err != nil {
		return err
	}
	p, err := sni.Open(ctx, sni.Config{Address: address, Wait: o.wait, Log: log}, tray.First(d))
	if err != nil {
		return err
	}
	defer p.Close()
	return serve(ctx, o, d, p)
}
