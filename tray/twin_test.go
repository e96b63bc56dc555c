package tray

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// panel is a panel in memory.
type panel struct {
	clicks chan menu.Action
	gone   chan struct{}
	mu     sync.Mutex
	shown  menu.Picture
	notes  []menu.Notice
}

var errGone = errors.New("the panel has gone")

func newPanel() *panel { return &panel{clicks: make(chan menu.Action), gone: make(chan struct{})} }

func (p *panel) Show(pic menu.Picture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = pic
}

func (p *panel) Notify(n menu.Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, n)
}

func (p *panel) Clicks() <-chan menu.Action { return p.clicks }
func (p *panel) Gone() <-chan struct{}      { return p.gone }
func (p *panel) Err() error                 { return errGone }

func (p *panel) picture() menu.Picture {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown
}

// titles returns those of all notices so far, and forgets them.
func (p *panel) titles() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, n := range p.notes {
		all = append(all, n.Title)
	}
	p.notes = nil
	return strings.Join(all, "; ")
}

// desktop is a desk in memory.
type desktop struct {
	mu        sync.Mutex
	copied    []string
	terminals int
	auto      bool
	profiles  []string
	profile   string
	fails     error
}

func (d *desktop) Copy(_ context.Context, text string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.copied = append(d.copied, text)
	return d.fails
}

func (d *desktop) Terminal() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.terminals++
	return d.fails
}

func (d *desktop) SetAutostart(on bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.auto = on
	return d.fails
}

func (d *desktop) Autostart() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.auto
}

func (d *desktop) Profiles() ([]string, string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.profiles, d.profile
}

func (d *desktop) UseProfile(_ context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.profile = name
	return d.fails
}

// twin is a daemon in memory. With err set it does not answer; when busy it refuses watches.
type twin struct {
	mu      sync.Mutex
	now     local.Status
	err     error
	busy    bool
	refusal *local.Error // of a watch, when busy
	changed chan struct{}
	asked   []string
	slow    chan struct{} // up and down wait for it; nil: they do not
}

func newTwin(networks ...local.Network) *twin {
	return &twin{now: local.Status{Networks: networks}, changed: make(chan struct{})}
}

func (d *twin) set(err error, networks ...local.Network) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now, d.err = local.Status{Networks: networks}, err
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *twin) state() (local.Status, <-chan struct{}, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now, d.changed, d.err
}

func (d *twin) Status(context.Context) (local.Status, error) {
	s, _, err := d.state()
	return s, err
}

func (d *twin) Watch(ctx context.Context) iter.Seq2[local.Status, error] {
	return func(yield func(local.Status, error) bool) {
		for {
			s, changed, err := d.state()
			d.mu.Lock()
			if d.busy && err == nil {
				err = d.refusal
			}
			d.mu.Unlock()
			if !yield(s, err) || err != nil {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(s, ctx.Err())
				return
			}
		}
	}
}

func (d *twin) ask(ctx context.Context, what string) error {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, what)
	return d.err
}

func (d *twin) Up(ctx context.Context, r local.UpRequest) (local.Networks, error) {
	return local.Networks{}, d.ask(ctx, "up "+r.Network)
}

func (d *twin) Down(ctx context.Context, r local.DownRequest) (local.Networks, error) {
	return local.Networks{}, d.ask(ctx, "down "+r.Network)
}

func (d *twin) Set(ctx context.Context, r local.SetRequest) (local.Settings, error) {
	return local.Settings{}, d.ask(ctx, "set "+r.Network+" exit-node "+r.Values["exit-node"])
}

// scene is a tray that runs in a bubble, and what it stands on.
type scene struct {
	d    *twin
	p    *panel
	desk *desktop
	end  func() error // ends it and returns what Run did
}

// play runs a tray in virtual time.
func play(t *testing.T, d *twin, act func(*testing.T, *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{d: d, p: newPanel(), desk: &desktop{}}
		d.changed = make(chan struct{}) // a bubble's own
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- New(Config{Daemon: d, Panel: s.p, Desk: s.desk}).Run(ctx) }()
		var once sync.Once
		var result error
		s.end = func() error {
			once.Do(func() { cancel(); result = <-done })
			return result
		}
		defer s.end()
		synctest.Wait()
		act(t, s)
	})
}
