package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/internal/lab/figure"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	// patience is how long a bus or an icon may take to come.
	patience = 10 * time.Second
)

// panel is the watcher and the host of a session without a screen. Its exported methods are those of the watcher's interface.
type panel struct{ icons chan dbus.Sender }

func (p panel) RegisterStatusNotifierItem(_ string, from dbus.Sender) *dbus.Error {
	p.icons <- from
	return nil
}

// Get answers whether there is a host.
func (p panel) Get(string, string) (dbus.Variant, *dbus.Error) { return dbus.MakeVariant(true), nil }

// tray measures what the icon costs while nobody touches it: memory, and processor time.
func tray(ctx context.Context, program string, peers int, idle time.Duration) error {
	d, err := startDaemon(peers)
	if err != nil {
		return err
	}
	defer d.stop()
	address := "unix:path=" + filepath.Join(d.dir, "bus")
	bus := exec.CommandContext(ctx, "dbus-daemon", "--session", "--nofork", "--nopidfile", "--address="+address)
	if err := bus.Start(); err != nil {
		return fmt.Errorf("%w; install the package dbus", err)
	}
	defer func() { _ = bus.Process.Kill(); _ = bus.Wait() }()
	p, host, err := session(address)
	if err != nil {
		return err
	}
	defer host.Close()
	c := exec.CommandContext(ctx, program, "--socket", d.socket)
	c.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS="+address, "HOME="+d.dir)
	if err := c.Start(); err != nil {
		return err
	}
	err = weigh(ctx, c.Process.Pid, p, host, peers, idle)
	_ = c.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, c.Wait())
}

// session joins the bus as its panel.
func session(address string) (panel, *dbus.Conn, error) {
	p := panel{icons: make(chan dbus.Sender, 1)}
	var host *dbus.Conn
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if host, err = dbus.Connect(address); err == nil {
			break
		}
		if time.Now().After(end) {
			return p, nil, err
		}
	}
	const path = "/StatusNotifierWatcher"
	err = errors.Join(host.Export(p, path, watcherName), host.Export(p, path, "org.freedesktop.DBus.Properties"))
	if _, named := host.RequestName(watcherName, dbus.NameFlagDoNotQueue); err == nil {
		err = named
	}
	return p, host, err
}

// weigh waits for the icon, reads it as a panel does, leaves it alone, and tells what it took.
func weigh(ctx context.Context, pid int, p panel, host *dbus.Conn, peers int, idle time.Duration) error {
	select {
	case from := <-p.icons:
		item := host.Object(string(from), "/StatusNotifierItem")
		menu := host.Object(string(from), "/StatusNotifierItem/menu")
		if err := item.Call("org.freedesktop.DBus.Properties.GetAll", 0, "org.kde.StatusNotifierItem").Err; err != nil {
			return err
		}
		for range 2 {
			if err := menu.Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Err; err != nil {
				return err
			}
		}
	case <-time.After(patience):
		return errors.New("the tray shows no icon")
	}
	cpu, err := spent(ctx, pid, idle)
	if err != nil {
		return err
	}
	rss, err := resident(pid)
	if err != nil {
		return err
	}
	name := "tray_idle_rss_mb"
	if peers != 100 {
		name += fmt.Sprintf("_%d", peers)
	}
	figure.Print(os.Stdout, name, rss/1e6, "MB", fmt.Sprintf("%d peers; %.2f %% of a core", peers, cpu))
	return nil
}
