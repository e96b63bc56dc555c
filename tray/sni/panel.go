package sni

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/menu"
)

const (
	busName     = "net.cvlan.Tray"
	itemPath    = dbus.ObjectPath("/StatusNotifierItem")
	itemFace    = "org.kde.StatusNotifierItem"
	menuPath    = dbus.ObjectPath("/StatusNotifierItem/menu")
	menuFace    = "com.canonical.dbusmenu"
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = dbus.ObjectPath("/StatusNotifierWatcher")
	properties  = "org.freedesktop.DBus.Properties"

	// callTimeout bounds each call of ours: a desktop that hangs must not hang us.
	callTimeout = 5 * time.Second
	// maxClicks wait for the tray to take them; whoever clicks faster waits at the bus.
	maxClicks = 64
	// maxNotices wait for the desktop to show them; more are dropped.
	maxNotices = 16
)

// Config says where the icon goes.
type Config struct {
	Address string        // of the session's bus
	Wait    time.Duration // for a panel to come; a session may start us before it starts its panel
	Log     func(string)  // what is worth a line; nil: nothing
}

// Panel is an icon in a panel. It is safe for concurrent use.
type Panel struct {
	conn    *dbus.Conn
	log     func(string)
	clicks  chan menu.Action
	notices chan menu.Notice
	signals chan *dbus.Signal
	gone    chan struct{} // closed when the bus has gone or Close was called
	wg      sync.WaitGroup

	mu      sync.Mutex
	picture menu.Picture
	tree    tree
	heard   map[dbus.Sender]map[int32]bool // the submenus that each client has heard of
}

// Open joins the bus, waits for a panel at most cfg.Wait, and shows first. When there can be no icon it returns
// tray.ErrNoSession, ErrNoPlace or ErrRunning, wrapped.
func Open(ctx context.Context, cfg Config, first menu.Picture) (*Panel, error) {
	c, err := connect(cfg.Address)
	if err != nil {
		return nil, err
	}
	p := &Panel{
		conn: c, log: cfg.Log, clicks: make(chan menu.Action, maxClicks), notices: make(chan menu.Notice, maxNotices),
		signals: make(chan *dbus.Signal, 32), gone: make(chan struct{}), heard: map[dbus.Sender]map[int32]bool{},
	}
	if p.log == nil {
		p.log = func(string) {}
	}
	p.picture = first
	p.tree.grow(first.Entries)
	if err := p.open(ctx, cfg.Wait); err != nil {
		c.Close()
		return nil, err
	}
	p.wg.Go(p.stayRegistered)
	p.wg.Go(p.showNotices)
	return p, nil
}

func (p *Panel) open(ctx context.Context, wait time.Duration) error {
	if err := takeName(p.conn); err != nil {
		return err
	}
	if err := p.export(); err != nil {
		return fmt.Errorf("offer the icon on D-Bus: %w", err)
	}
	p.conn.Signal(p.signals)
	for _, m := range [][]dbus.MatchOption{
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName)},
		{dbus.WithMatchInterface(watcherName), dbus.WithMatchMember("StatusNotifierHostRegistered")},
	} {
		if err := p.conn.AddMatchSignal(m...); err != nil {
			return fmt.Errorf("listen to D-Bus: %w", err)
		}
	}
	return p.firstHost(ctx, wait)
}

// firstHost registers, now or as soon as a panel comes.
func (p *Panel) firstHost(ctx context.Context, wait time.Duration) error {
	late := time.NewTimer(wait)
	defer late.Stop()
	for {
		err := p.register(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.conn.Context().Done():
			return tray.ErrEnded
		case <-late.C:
			return err
		case _, open := <-p.signals:
			if !open {
				return tray.ErrEnded
			}
		}
	}
}

// register tells the watcher of our icon.
func (p *Panel) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	w := p.conn.Object(watcherName, watcherPath)
	var host dbus.Variant
	if err := w.CallWithContext(ctx, properties+".Get", dbus.FlagNoAutoStart, watcherName, "IsStatusNotifierHostRegistered").Store(&host); err != nil {
		return fmt.Errorf("%w: nobody is %s on D-Bus", tray.ErrNoPlace, watcherName)
	}
	if has, ok := host.Value().(bool); ok && !has {
		return fmt.Errorf("%w: its panel shows none", tray.ErrNoPlace)
	}
	if err := w.CallWithContext(ctx, watcherName+".RegisterStatusNotifierItem", 0, string(itemPath)).Err; err != nil {
		return fmt.Errorf("%w: it refuses ours: %w", tray.ErrNoPlace, err)
	}
	return nil
}

// stayRegistered runs until the bus has gone: a panel that comes anew is told of us.
func (p *Panel) stayRegistered() {
	defer close(p.gone)
	for {
		select {
		case <-p.conn.Context().Done():
			return
		case s, open := <-p.signals:
			if !open {
				return
			}
			if !came(s) {
				continue
			}
			p.mu.Lock()
			clear(p.heard)
			p.mu.Unlock()
			if err := p.register(p.conn.Context()); err != nil {
				p.log("the panel is not ready: " + err.Error())
			}
		}
	}
}

// came reports whether a signal says that a watcher or a host has come.
func came(s *dbus.Signal) bool {
	switch s.Name {
	case "org.freedesktop.DBus.NameOwnerChanged":
		if len(s.Body) != 3 {
			return false
		}
		owner, _ := s.Body[2].(string)
		return owner != ""
	case watcherName + ".StatusNotifierHostRegistered":
		return true
	}
	return false
}

// Clicks delivers what was clicked, in order.
func (p *Panel) Clicks() <-chan menu.Action { return p.clicks }

// Gone is closed when the bus has gone: the session has ended.
func (p *Panel) Gone() <-chan struct{} { return p.gone }

// Err says why Gone was closed.
func (p *Panel) Err() error { return tray.ErrEnded }

// Close takes the icon away. When it returns nothing of the panel runs.
func (p *Panel) Close() {
	p.conn.Close()
	p.wg.Wait()
}
