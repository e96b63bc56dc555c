package tray

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// Desk is what the tray wants of the person's desktop, besides the panel.
type Desk interface {
	// Copy puts text into the clipboard.
	Copy(ctx context.Context, text string) error
	// Terminal opens the interface for terminals in a window of its own.
	Terminal() error
	// SetAutostart says whether the tray starts when this user logs in.
	SetAutostart(on bool) error
	Autostart() bool
	// Profiles lists this user's logins to controllers by name, and says which one commands use.
	Profiles() (names []string, used string)
	UseProfile(ctx context.Context, name string) error
}

// actTimeout bounds one action.
const actTimeout = 20 * time.Second

// outcome is what came of an action.
type outcome struct {
	action menu.Action
	err    error
}

// act does what a click asked for.
func (t *Tray) act(ctx context.Context, a menu.Action) error {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	var err error
	switch a.Verb {
	case menu.Up:
		_, err = t.cfg.Daemon.Up(ctx, local.UpRequest{Network: a.Network})
	case menu.Down:
		_, err = t.cfg.Daemon.Down(ctx, local.DownRequest{Network: a.Network})
	case menu.Only:
		err = t.only(ctx, a.Network)
	case menu.Exit:
		_, err = t.cfg.Daemon.Set(ctx, local.SetRequest{Network: a.Network, Values: map[string]string{"exit-node": a.Text}})
	case menu.Profile:
		err = t.cfg.Desk.UseProfile(ctx, a.Text)
	case menu.Copy:
		err = t.cfg.Desk.Copy(ctx, a.Text)
	case menu.Terminal:
		err = t.cfg.Desk.Terminal()
	case menu.Autostart:
		err = t.cfg.Desk.SetAutostart(a.On)
	}
	return err
}

// only switches a network on, and then all others off: if the one cannot be had, the others stay.
func (t *Tray) only(ctx context.Context, network string) error {
	if _, err := t.cfg.Daemon.Up(ctx, local.UpRequest{Network: network}); err != nil {
		return err
	}
	s, err := t.cfg.Daemon.Status(ctx)
	if err != nil {
		return err
	}
	for _, n := range s.Networks {
		if n.ID == network || n.State == local.Down {
			continue
		}
		if _, err := t.cfg.Daemon.Down(ctx, local.DownRequest{Network: n.ID}); err != nil {
			return err
		}
	}
	return nil
}

// work does actions in their order until there are no more.
func (t *Tray) work(ctx context.Context) {
	for a := range t.jobs {
		err := t.act(ctx, a)
		select {
		case t.done <- outcome{a, err}:
		case <-ctx.Done():
		}
	}
}

// report says what came of an action where the menu does not show it by itself.
func (t *Tray) report(now time.Time, o outcome) {
	if o.action.Verb == menu.Autostart {
		t.world.autostart = t.cfg.Desk.Autostart()
	}
	if o.err != nil {
		what, hint := explain(o.err)
		t.world.failed = &complaint{what, hint, now}
		t.cfg.Panel.Notify(menu.Notice{Key: "action", Title: what, Text: hint, Stand: menu.Warning})
		return
	}
	if t.world.failed != nil && o.action.Verb != menu.Copy {
		t.world.failed = nil
	}
	if o.action.Verb == menu.Copy {
		t.cfg.Panel.Notify(menu.Notice{Key: "action", Title: "Copied", Text: o.action.Of, Stand: t.world.stand()})
	}
}
