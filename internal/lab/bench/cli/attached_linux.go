package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/creack/pty"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/figure"
)

// neighbours are the peers of the daemon, plain devices but for one.
const neighbours = 100

// attached measures what a real daemon with so many peers takes while a terminal interface and an icon look at it and nobody touches them.
func attached(ctx context.Context, l *lab.Lab, set deploy.Set, idle time.Duration) error {
	if err := lab.CheckTUN(); err != nil {
		return err
	}
	n, err := office(ctx, l, set)
	if err != nil {
		return err
	}
	alone, err := spent(ctx, n.Proc.PID(), idle)
	if err != nil {
		return err
	}
	quit, err := look(ctx, n.Host, set)
	if err != nil {
		return err
	}
	both, err := spent(ctx, n.Proc.PID(), idle)
	figure.Print(os.Stdout, "daemon_attached_cpu_pct", both, "%", fmt.Sprintf("of a core, a daemon with %d peers, cvlan tui and cvlan-tray open; %.2f %% without them", neighbours, alone))
	return errors.Join(err, quit())
}

// office makes a network with a node that has many peers, one of which it talks with.
func office(ctx context.Context, l *lab.Lab, set deploy.Set) (*deploy.Node, error) {
	ctl, err := set.Controller(ctx, l.Public("ctl"), "--with-relay")
	if err != nil {
		return nil, err
	}
	if _, err := ctl.Admin(ctx, "", "network", "create", "office"); err != nil {
		return nil, err
	}
	join, err := ctl.Key(ctx, "office", "--uses", "2")
	if err != nil {
		return nil, err
	}
	var nodes []*deploy.Node
	for _, name := range []string{"laptop", "server"} {
		n, err := set.Node(ctx, l.Site(name, "port").Host(name))
		if err != nil {
			return nil, err
		}
		if _, err := n.Join(ctx, join); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	for i := range neighbours - 1 {
		if _, err := ctl.Admin(ctx, "", "peer", "create", fmt.Sprintf("phone-%d", i), "--network", "office", "--node", "laptop",
			"--public-key", key.NewWGPrivate().Public().String()); err != nil {
			return nil, err
		}
	}
	_, err = nodes[0].CLI(ctx, "ping", "server")
	return nodes[0], err
}

// look opens the terminal interface and the icon in a panel, both on the daemon's host, and returns what closes them.
func look(ctx context.Context, h *lab.Host, set deploy.Set) (quit func() error, err error) {
	dir, err := os.MkdirTemp("", "cvlan-bench-")
	if err != nil {
		return nil, err
	}
	address := "unix:path=" + filepath.Join(dir, "bus")
	bus := h.Start("dbus-daemon", "--session", "--nofork", "--nopidfile", "--address="+address)
	p, host, err := session(address)
	if err != nil {
		return nil, fmt.Errorf("%w; is the package dbus installed?", err)
	}
	tray := h.Command(ctx, set.Path("cvlan-tray"))
	tray.Env = append(tray.Env, "DBUS_SESSION_BUS_ADDRESS="+address)
	icon := h.StartCmd(tray)
	select {
	case <-p.icons:
	case <-time.After(patience):
		return nil, fmt.Errorf("the tray shows no icon: %s", icon.Log())
	}
	leave, err := openTUI(ctx, h, set)
	return func() error {
		err := leave()
		icon.Kill()
		host.Close()
		bus.Kill()
		return errors.Join(err, os.RemoveAll(dir))
	}, err
}

// openTUI opens the terminal interface on a terminal of 200 by 50 and returns what quits it.
func openTUI(ctx context.Context, h *lab.Host, set deploy.Set) (quit func() error, err error) {
	screen, tty, err := pty.Open()
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	if err := pty.Setsize(screen, &pty.Winsize{Rows: 50, Cols: 200}); err != nil {
		return nil, err
	}
	c := h.Command(ctx, set.Path("cvlan"), "tui")
	c.Env = append(c.Env, "TERM=xterm-256color", "COLORTERM=truecolor")
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr.Setsid, c.SysProcAttr.Setctty = true, true
	if err := c.Start(); err != nil {
		return nil, err
	}
	first, drained := make(chan struct{}), make(chan int)
	go drain(screen, first, drained)
	select {
	case <-first:
	case <-time.After(patience):
		return nil, errors.Join(errors.New("the interface shows nothing"), c.Process.Kill(), c.Wait())
	}
	return func() error {
		_, err := screen.WriteString("q")
		<-drained
		return errors.Join(err, c.Wait(), screen.Close())
	}, nil
}
