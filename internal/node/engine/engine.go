package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// idleCheck is how often the engine looks at what only time changes, such as the end of its certificate.
const idleCheck = time.Hour

// Engine is one membership's life. It is made by New and lives in Run.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	clock   *session.Clock
	session *session.Session
	saver   *saver
	status  atomic.Pointer[Status]

	asks    chan func() // calls into the loop
	news    chan struct{}
	amends  chan struct{}
	wanted  atomic.Pointer[Settings] // that were told last
	written chan error               // the newest result of a write

	// Owned by Run's goroutine.
	table     *netmap.Table
	out       netmap.Out
	listed    []*netmap.Peer // nil: the map has changed since
	dev       *device        // nil: nothing of ours is on the host
	failure   *session.Problem
	failures  int       // in a row
	retryAt   time.Time // zero: no attempt is due
	publishAt time.Time // zero: the snapshot is the newest
	published time.Time
	saveAt    time.Time // zero: the disk has the newest
	saved     time.Time
	kept      time.Time // what was heard as of the last save
	unsaved   error     // why the newest state is not on the disk
	noPort    error     // why the tunnel has not the port that it is to have
	portAt    time.Time // when to try again; zero: it has it
	renewAt   time.Time // when to ask for another certificate; zero: it is good
	reach     []netip.Addr
	names     names
	isRelay   ident.Relay     // that Config.Relay was told last
	life      context.Context // ends when Run is to
	helpers   sync.WaitGroup
	came      came
	home      atomic.Uint64 // the relay where the node is at home, of which Keep.Home is told by the loop
	keptHome  ident.Relay
	rules     rules
	directory *directory
	journal   journal
	routing   routing
	speech    atomic.Pointer[control.Speech] // what the node says that it speaks
}

// New makes an engine from what is known. A cache that cannot be read is no error: it is logged, and the controller sends the map
// again.
func New(cfg Config) *Engine {
	m := &cfg.Membership
	e := &Engine{
		cfg: cfg, log: cfg.Log.With(logx.Network, m.Network.String()), clock: session.NewClock(cfg.Outside.Local, cfg.Heard),
		asks: make(chan func()), news: make(chan struct{}, 1), amends: make(chan struct{}, 1), written: make(chan error, 1), kept: cfg.Heard,
		names: names{known: map[string][]netip.Addr{}, found: make(chan map[string][]netip.Addr)},
	}
	e.table = e.recall(netmap.Config{Tenant: m.Tenant, Network: m.Network, Node: m.Node, Rules: checkRules})
	e.rules.table = flow.New(flow.Config{})
	e.rule()
	e.home.Store(uint64(cfg.LastHome))
	e.keptHome = cfg.LastHome
	e.speech.Store(&control.Speech{Speaks: e.speaks(), Prefers: cfg.Prefers})
	e.saver = newSaver(cfg.Keep.Map, e.wrote)
	e.session = session.New(session.Config{
		Membership: *m, Identity: cfg.Identity, WG: cfg.WG.Public(), Software: cfg.Software, Transport: cfg.Transport,
		Dial: cfg.Outside.Dial, Clock: e.clock, Table: (*pages)(e), Log: e.log, Changed: func() { poke(e.news) },
		Renewed: cfg.Keep.Chain, Moved: cfg.Keep.Addrs, Random: cfg.Outside.Random, Punched: e.punched, Speech: func() control.Speech { return *e.speech.Load() },
	})
	e.directory = newDirectory(m, e.session.Credentials)
	e.offer()
	e.publish()
	e.trust()
	return e
}

func (e *Engine) recall(c netmap.Config) *netmap.Table {
	if e.cfg.Cache == nil {
		return netmap.New(c)
	}
	t, err := netmap.Decode(c, e.cfg.Cache)
	if err != nil {
		e.log.Warn("kept map not used", logx.Err, err)
		return netmap.New(c)
	}
	return t
}

// Status returns the newest snapshot.
func (e *Engine) Status() *Status { return e.status.Load() }

// ErrDown is what Ping returns while there is no tunnel.
var ErrDown = errors.New("the tunnel is not up")

// Ping sends one echo request through the tunnel.
func (e *Engine) Ping(ctx context.Context, to netip.Addr, payload int) (time.Duration, error) {
	s := e.Status()
	if s.tunnel == nil {
		return 0, ErrDown
	}
	through := s.Interface
	if s.Kernel { // there are two, and the routes know which is the peer's
		through = ""
	}
	return e.cfg.Outside.Host.Ping(ctx, through, to, payload)
}

// Run lives until ctx is done, and then takes everything off the host again.
func (e *Engine) Run(ctx context.Context) error {
	changes, err := e.cfg.Outside.Host.Changes(ctx)
	if err != nil {
		return fmt.Errorf("watch the host's network: %w", err)
	}
	sleeps := e.cfg.Outside.Host.Sleeps(ctx)
	life, end := context.WithCancel(ctx)
	e.life = life
	defer e.helpers.Wait()
	defer end()
	saved := make(chan struct{})
	go func() { defer close(saved); e.saver.run() }()
	e.raise()
	e.publish()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	connected := make(chan struct{})
	go func() { defer close(connected); e.session.Run(inner) }()
	e.loop(ctx, changes, sleeps)
	stop()
	e.await(connected)
	e.lower()
	e.save()
	e.saver.stop()
	<-saved
	e.settleWritten()
	e.publish()
	return nil
}

func (e *Engine) loop(ctx context.Context, changes <-chan struct{}, sleeps <-chan time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case ask := <-e.asks:
			ask()
		case <-e.news:
			e.noteHome()
			e.heard()
		case <-e.amends:
			e.amend()
		case _, ok := <-changes:
			if !ok {
				changes = nil
				break
			}
			e.roam()
		case slept, ok := <-sleeps:
			if !ok {
				sleeps = nil
				break
			}
			e.resume(slept)
		case <-e.dev.done():
			e.fell()
		case found := <-e.names.found:
			e.named(found)
		case err := <-e.written:
			e.noteWritten(err)
		case <-timer.C:
		}
		e.tick()
		timer.Reset(time.Until(e.deadline()))
	}
}

// tick does what is due.
func (e *Engine) tick() {
	now := time.Now()
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	if due(e.retryAt) {
		e.raise()
	}
	if due(e.saveAt) {
		e.save()
	}
	if due(e.names.again) {
		e.renewNames()
	}
	if due(e.rules.again) {
		e.turn()
	}
	if due(e.portAt) {
		e.setPort()
	}
	if due(e.routing.watch.again) {
		e.look()
	}
	if due(e.renewAt) {
		e.renew()
	}
	if due(e.publishAt) || now.Sub(e.published) >= idleCheck {
		e.publish()
	}
}

func (e *Engine) deadline() time.Time {
	d := e.published.Add(idleCheck)
	for _, t := range []time.Time{e.retryAt, e.saveAt, e.publishAt, e.names.again, e.rules.again, e.renewAt, e.portAt, e.routing.watch.again} {
		if !t.IsZero() && t.Before(d) {
			d = t
		}
	}
	return d
}

// await goes on answering the session until it has ended.
func (e *Engine) await(done <-chan struct{}) {
	for {
		select {
		case ask := <-e.asks:
			ask()
		case <-done:
			return
		}
	}
}

// heard looks at what the session has to tell.
func (e *Engine) heard() {
	switch e.session.State().Verdict {
	case session.Removed, session.Cloned:
		e.lower()
		e.beRelay()
	default:
		e.raise()
	}
	if e.clock.Heard().Sub(e.kept) > time.Hour {
		e.dirty()
	}
	e.changed()
}

// apply takes a piece of the map.
func (e *Engine) apply(m *pb.Map) error {
	if err := e.table.Apply(m, &e.out); err != nil {
		return err
	}
	if m.More {
		return nil
	}
	e.dirty() // at least the cursor has moved
	if len(e.out.Events) == 0 {
		return nil
	}
	e.listed = nil
	if slices.ContainsFunc(e.out.Events, ofRules) {
		e.rule() // before the peers may speak
	}
	if slices.ContainsFunc(e.out.Events, ofTrust) {
		e.trust()
	}
	e.follow(e.out.Events)
	if slices.ContainsFunc(e.out.Events, ofOwn) {
		e.respeak(false)
	}
	if e.dev == nil || slices.ContainsFunc(e.out.Events, ofOwn) {
		e.offer() // the network's ranges may be others
		e.raise()
	} else if slices.ContainsFunc(e.out.Events, ofRoutes) {
		e.reroute(false)
	}
	e.changed()
	return nil
}

// ofOwn reports whether an event concerns what the host is given.
func ofOwn(v netmap.Event) bool {
	return v.Kind == netmap.NetworkChanged || v.Kind == netmap.SelfChanged
}

// pages is the engine's table as its session sees it: each call is done by the loop.
type pages Engine

// Cursor implements session.Table. The session asks when it begins anew: pieces of an unfinished map are forgotten.
func (p *pages) Cursor() (c *pb.Cursor) {
	p.do(context.Background(), func(e *Engine) {
		e.table.Begin()
		c = e.table.Cursor()
	})
	return c
}

// Apply implements session.Table.
func (p *pages) Apply(ctx context.Context, m *pb.Map) (err error) {
	if stopped := p.do(ctx, func(e *Engine) { err = e.apply(m) }); stopped != nil {
		return stopped
	}
	return err
}

// Self implements session.Table.
func (p *pages) Self() (record []byte, signed bool) {
	p.do(context.Background(), func(e *Engine) {
		s, _ := e.table.Self()
		record, signed = s.Bytes, s.Signed
	})
	return record, signed
}

// Rules implements session.Table.
func (p *pages) Rules() (name uint64) {
	p.do(context.Background(), func(e *Engine) { name = e.rules.name })
	return name
}

// do has the loop call f. The loop answers for as long as the session lives, so only Apply, whose turn may come late, needs a way out.
func (p *pages) do(ctx context.Context, f func(*Engine)) error {
	e, done := (*Engine)(p), make(chan struct{})
	select {
	case e.asks <- func() { defer close(done); f(e) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
