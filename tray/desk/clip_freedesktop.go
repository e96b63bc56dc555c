//go:build !windows && !darwin

package desk

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/cvlan/cvlan/tray/desk/xclip"
)

// clipboard is the selection that we own on an X server; the text is ours to hand out until somebody else copies.
type clipboard = xclip.Owner

// Copy puts text into the clipboard: of a Wayland desktop by a program of its, which is the one way without a window; of an X server
// by ourselves; else by whatever program is there.
func (d *Desk) Copy(ctx context.Context, text string) error {
	wayland, display := d.getenv("WAYLAND_DISPLAY") != "", d.getenv("DISPLAY")
	if wayland {
		if path, err := exec.LookPath("wl-copy"); err == nil {
			return d.feed(ctx, text, path)
		}
	}
	if display != "" {
		err := d.owner.Set(display, d.getenv, text)
		if err == nil {
			return nil
		}
		for _, argv := range [][]string{{"xclip", "-selection", "clipboard"}, {"xsel", "--clipboard", "--input"}} {
			if path, err := exec.LookPath(argv[0]); err == nil {
				return d.feed(ctx, text, path, argv[1:]...)
			}
		}
		return fmt.Errorf("copy %s: %w", text, err)
	}
	if wayland {
		return fmt.Errorf("copy %s: the program wl-copy is not there; install wl-clipboard", text)
	}
	return fmt.Errorf("copy %s: there is no display", text)
}

// feed runs a program that reads the text. Such programs go into the background and keep their output open, so it goes nowhere.
func (d *Desk) feed(ctx context.Context, text, path string, args ...string) error {
	c := exec.CommandContext(ctx, path, args...)
	c.Stdin = strings.NewReader(text)
	if err := c.Run(); err != nil {
		return fmt.Errorf("copy %s: %s: %w", text, path, err)
	}
	return nil
}

// Close gives the clipboard up.
func (d *Desk) Close() { d.owner.Close() }
