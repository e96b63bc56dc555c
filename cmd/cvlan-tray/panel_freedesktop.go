//go:build !windows && !darwin

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/desk"
	"github.com/cvlan/cvlan/tray/sni"
)

// stand puts the icon into the panel and runs until it goes.
func stand(ctx context.Context, o options, d *desk.Desk, errs io.Writer) int {
	address, err := sni.SessionBus(os.Getenv)
	if err != nil {
		return fail(errs, fmt.Errorf("%w; start it in a desktop session, or use cvlan tui", err), exitNotFound)
	}
	p, err := sni.Open(ctx, sni.Config{Address: address, Wait: o.wait, Log: func(s string) { fmt.Fprintln(errs, "cvlan-tray:", s) }}, tray.First(d))
	switch {
	case ctx.Err() != nil:
		return exitOK
	case errors.Is(err, sni.ErrRunning):
		return fail(errs, err, exitConflict)
	case errors.Is(err, sni.ErrNoHost):
		return fail(errs, fmt.Errorf("%w; GNOME shows icons with the extension AppIndicator; without a panel use cvlan tui", err), exitNotFound)
	case errors.Is(err, sni.ErrNoBus):
		return fail(errs, fmt.Errorf("%w; start it in a desktop session, or use cvlan tui", err), exitNotFound)
	case errors.Is(err, sni.ErrBusGone):
		return exitOK
	case err != nil:
		return fail(errs, err, exitInternal)
	}
	defer p.Close()
	if err := serve(ctx, o, d, p); err != nil && !errors.Is(err, sni.ErrBusGone) {
		return fail(errs, err, exitInternal)
	}
	return exitOK
}
