package tray

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// Panel is where the icon stands. *sni.Panel is one, and *native.Panel on Windows and macOS.
type Panel interface {
	Show(menu.Picture)
	// Notify does not wait; a panel that cannot show it drops it.
	Notify(menu.Notice)
	Clicks() <-chan menu.Action
	// Gone is closed when there is no panel any more, and Err then says why.
	Gone() <-chan struct{}
	Err() error
}

// Config is what a tray stands on.
type Config struct {
	Daemon Daemon
	Panel  Panel
	Desk   Desk
}

// maxJobs are clicks that wait for those before them. More make the panel wait, and with it whoever clicks.
const maxJobs = 64

// Tray is the icon's loop.
type Tray struct {
	cfg     Config
	world   world
	notices notices
	news    chan news
	jobs    chan menu.Action
	done    chan outcome
}

// First is what a panel shows before the daemon has answered.
func First(d Desk) menu.Picture {
	w := world{autostart: d.Autostart()}
	w.profiles, w.profile = d.Profiles()
	return w.picture(time.Time{})
}

// New makes a tray. Nothing happens before Run.
func New(cfg Config) *Tray {
	return &Tray{cfg: cfg, world: world{autostart: cfg.Desk.Autostart()}, news: make(chan news), jobs: make(chan menu.Action, maxJobs), done: make(chan outcome)}
}

// Run shows the daemon's state and does what is clicked, until Quit (nil), the end of ctx (nil), or the loss of the panel. When it
// returns nothing of it runs.
func (t *Tray) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { follow(ctx, t.cfg.Daemon, t.news) })
	wg.Go(func() { t.work(ctx) })
	defer wg.Wait()
	defer close(t.jobs)
	defer cancel()
	return t.loop(ctx)
}

func (t *Tray) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.cfg.Panel.Gone():
			return t.cfg.Panel.Err()
		case n := <-t.news:
			t.world.take(n)
			shed(&n.status)
			t.say(t.notices.take(time.Now(), &t.world))
		case o := <-t.done:
			t.report(time.Now(), o)
		case <-timer.C:
			t.say(t.notices.due(time.Now()))
		case a := <-t.clicks():
			if a.Verb == menu.Quit {
				return nil
			}
			t.jobs <- a // there is room: clicks are taken only then
		}
		now := time.Now()
		t.world.profiles, t.world.profile = t.cfg.Desk.Profiles()
		t.cfg.Panel.Show(t.world.picture(now))
		timer.Reset(t.next(now))
	}
}

// many is from how many peers on a state is so large that its memory is given back at once, and not when it suits the collector.
const many = 2000

func shed(s *local.Status) {
	peers := 0
	for i := range s.Networks {
		peers += len(s.Networks[i].Peers)
	}
	if *s = (local.Status{}); peers >= many {
		debug.FreeOSMemory()
	}
}

// clicks returns the panel's, or nothing while too much waits to be done.
func (t *Tray) clicks() <-chan menu.Action {
	if len(t.jobs) == cap(t.jobs) {
		return nil
	}
	return t.cfg.Panel.Clicks()
}

func (t *Tray) say(all []menu.Notice) {
	for _, n := range all {
		t.cfg.Panel.Notify(n)
	}
}

// idle is how long the loop sleeps when nothing is due. Profiles that others have made show by then.
const idle = time.Minute

// next is how long nothing is due.
func (t *Tray) next(now time.Time) time.Duration {
	wait := idle
	if at := t.notices.deadline(); !at.IsZero() {
		wait = min(wait, at.Sub(now))
	}
	if t.world.failed != nil {
		if left := t.world.failed.at.Add(complain).Sub(now); left > 0 {
			wait = min(wait, left)
		} else {
			t.world.failed = nil
		}
	}
	return max(wait, time.Millisecond)
}
