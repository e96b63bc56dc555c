package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/daemon/localapi"
	"github.com/cvlan/cvlan/daemon/resolver"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/ipsec"
)

// Daemon is cvland. It is made by New and lives in Run.
type Daemon struct {
	cfg    Config
	log    *slog.Logger
	dir    *state.Dir
	door   *localapi.Server
	ledger engine.Ledger
	since  time.Time
	recent recent             // of the log
	names  *resolver.Resolver // nil: programs of this machine find no names

	checking sync.Mutex      // one check of the network at a time
	ops      sync.Mutex      // one start or stop of engines at a time
	running  context.Context // of Run; nil before and after

	mu          sync.Mutex
	members     []*member // in the order of their networks' identifiers
	preferences state.Preferences
	change      chan struct{}
	quiet       *time.Timer // nil: nobody wants to know
	unheld      error       // why traffic leaves beside an exit that is wanted and not in use; nil: none does
}

// New takes the state folder and the socket for this process: a second daemon is refused here, with a line that says which. It
// touches nothing of the host's network and starts nothing.
func New(cfg Config) (*Daemon, error) {
	dir, err := state.Open(cfg.State)
	if err != nil {
		return nil, err
	}
	d := &Daemon{dir: dir, since: time.Now(), change: make(chan struct{})}
	cfg.Log = d.recent.beside(cfg.Log)
	cfg.fill()
	d.cfg, d.log = cfg, cfg.Log
	if cfg.Names != nil {
		d.names = resolver.New(resolver.Config{Host: cfg.Names, Networks: d.named, Changed: d.tell, Log: cfg.Log})
	}
	if err := d.load(); err != nil {
		dir.Close()
		return nil, err
	}
	if cfg.Socket == "" {
		return d, nil
	}
	d.door, err = localapi.New(localapi.Config{Path: cfg.Socket, Group: cfg.Group, ReadGroup: cfg.ReadGroup, Backend: d, Log: cfg.Log})
	if err != nil {
		dir.Close()
		return nil, err
	}
	return d, nil
}

func (d *Daemon) load() error {
	var err error
	if d.preferences, err = d.dir.Preferences(); err != nil {
		d.log.Error("settings of the machine not used, defaults hold", logx.Err, err)
	}
	d.applyLogLevel()
	found, err := d.dir.Memberships()
	if err != nil {
		return err
	}
	for _, f := range found {
		m := &member{d: d, id: f.ID, state: f.Membership, damage: f.Err}
		if f.Err != nil {
			d.log.Error("membership cannot be used", logx.Network, f.ID.String(), logx.Err, f.Err)
		}
		d.members = append(d.members, m)
	}
	return nil
}

// Run brings up what is wanted up and serves the local API until ctx is done; then it takes everything down again, in the opposite
// order. What it could not clean up at its start is logged: a leftover is no reason to stay away.
func (d *Daemon) Run(ctx context.Context) error {
	defer d.dir.Close()
	if d.door != nil {
		defer d.door.Close()
	}
	if err := d.cfg.Cleanup(d.holds()); err != nil {
		d.log.Warn("leftovers of an earlier run not removed", logx.Err, err)
	}
	lives, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if d.cfg.Quiet != nil {
		d.mu.Lock()
		d.quiet = time.AfterFunc(quietAfter, d.cfg.Quiet)
		d.mu.Unlock()
		defer d.quiet.Stop()
	}
	d.ops.Lock()
	d.running = lives
	d.hold()
	for _, m := range d.all() {
		if m.wanted() == state.Up {
			m.start(lives)
		}
	}
	d.ops.Unlock()
	named := d.serveNames(lives)
	err := d.serve(ctx)
	named() // programs ask others again while there still are tunnels
	d.end()
	if err != nil {
		return fmt.Errorf("local API: %w", err)
	}
	return nil
}

// serve is how long the daemon lives: while its socket is served, and without one until it is told to stop.
func (d *Daemon) serve(ctx context.Context) error {
	if d.door != nil {
		return d.door.Serve(ctx)
	}
	<-ctx.Done()
	return nil
}

// end stops all engines, side by side.
func (d *Daemon) end() {
	d.ops.Lock()
	defer d.ops.Unlock()
	d.running = nil
	var all sync.WaitGroup
	for _, m := range d.all() {
		all.Go(m.stop)
	}
	all.Wait()
	d.let(nil) // whoever stops a daemon wants the machine back
}

// errStopping is what operations get that come while the daemon ends.
var errStopping = errors.New("the daemon is stopping")

// all returns the memberships of now.
func (d *Daemon) all() []*member {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.members)
}

func (d *Daemon) add(m *member) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members = append(d.members, m)
	slices.SortFunc(d.members, func(a, b *member) int { return slices.Compare([]uint64{uint64(a.id)}, []uint64{uint64(b.id)}) })
}

func (d *Daemon) drop(id ident.Network) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.members = slices.DeleteFunc(d.members, func(m *member) bool { return m.id == id })
}

// Changed implements localapi.Backend.
func (d *Daemon) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change
}

// changed tells all who wait that Status is another, and who answers for names.
func (d *Daemon) changed() {
	if d.names != nil {
		d.names.Wake()
	}
	d.tell()
}

// tell tells all who wait that Status is another.
func (d *Daemon) tell() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.change)
	d.change = make(chan struct{})
	if d.quiet != nil {
		d.quiet.Reset(quietAfter)
	}
}

// Summary says in a few words what the daemon is about to run.
func (d *Daemon) Summary() string {
	up := 0
	for _, m := range d.all() {
		if m.wanted() == state.Up {
			up++
		}
	}
	if up == 1 {
		return "1 network"
	}
	return fmt.Sprintf("%d networks", up)
}

// Cleanup removes from the host what a killed daemon with the same state folder left there, while none is running.
func Cleanup(cfg Config) error {
	dir, err := state.Open(cfg.State)
	if err != nil {
		return err
	}
	defer dir.Close()
	cfg.fill()
	found, err := dir.Memberships()
	for _, f := range found {
		if f.Membership != nil {
			err = errors.Join(err, ipsec.SweepKernel(f.Membership.Meta().Last.Interface))
		}
	}
	return errors.Join(err, cfg.Cleanup(nil))
}
