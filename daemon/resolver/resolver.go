package resolver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/names"
	"github.com/cvlan/cvlan/internal/sys/hostdns"
)

// Config is what a Resolver needs.
type Config struct {
	Host hostdns.Host
	// Networks are those that have names now. One whose Names are the same pointer as before is as before.
	Networks func() []Network
	Changed  func() // is called when State is another
	Log      *slog.Logger
	// Dial reaches other name servers; nil: the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	serve func() (*server, error) // nil: with real sockets
}

// Network is one with names, and the interface that leads there.
type Network struct {
	Interface string
	Names     *names.Network
}

// Timing, and how often what others take out is put back.
const (
	settleFor   = 50 * time.Millisecond // changes in quick succession are one
	lookEvery   = 15 * time.Second
	MaxRestores = 4 // an hour
)

// State is how it is.
type State struct {
	Server   netip.AddrPort // invalid: it does not listen, because no network has names
	Host     hostdns.State
	Networks []string // by domain
	Search   []string // domains in which a name without a dot is looked for, in this order
	Names    int
	Fault    error     // why programs do not find the names, as far as it is known; a *hostdns.Fault has words for people
	Restored int       // how often within the hour others' changes were turned back
	Since    time.Time // of Server

	Answered, Forwarded, Failed uint64
}

// Resolver is made by New and lives in Run.
type Resolver struct {
	cfg  Config
	wake chan struct{}

	// Run's goroutine alone has these.
	networks []Network
	want     hostdns.Want
	set      bool        // want was set, without a fault
	restores []time.Time // within the hour

	mu     sync.Mutex
	server *server // nil: it does not listen
	state  State
}

// New returns one that does nothing yet.
func New(c Config) *Resolver {
	if c.serve == nil {
		c.serve = serve
	}
	return &Resolver{cfg: c, wake: make(chan struct{}, 1)}
}

// Wake has Run look at the networks again. It never waits.
func (r *Resolver) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run serves names until ctx is done; then the host is as it was before.
func (r *Resolver) Run(ctx context.Context) {
	defer r.end()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settleFor):
			}
			r.follow()
		case <-look.C:
			r.look()
		}
	}
}

// follow brings what the networks are now to the book, the server and the host.
func (r *Resolver) follow() {
	now := r.cfg.Networks()
	if slices.Equal(now, r.networks) {
		return
	}
	r.networks = now
	if len(now) == 0 {
		r.end()
		return
	}
	s, err := r.open()
	if err != nil {
		r.tell(hostdns.State{}, err)
		r.networks = nil // to be tried again
		return
	}
	book := make([]names.Network, 0, len(now))
	for _, n := range now {
		book = append(book, *n.Names)
	}
	s.book.Store(names.NewBook(book))
	if want := wanted(s.at, now); !r.set || !same(want, r.want) {
		r.want = want
		r.apply()
		return
	}
	r.describe()
}

// wanted is what the host is to do about networks.
func wanted(at netip.AddrPort, all []Network) hostdns.Want {
	w := hostdns.Want{Server: at}
	for _, n := range all {
		l := hostdns.Link{Interface: n.Interface, Routed: []string{names.Root}}
		if names.CheckDomain(n.Names.Domain) == nil {
			l.Search = []string{n.Names.Domain}
		}
		for _, r := range n.Names.Ranges {
			l.Routed = append(l.Routed, names.ReverseZones(r)...)
		}
		w.Links = append(w.Links, l)
	}
	return w
}

func same(a, b hostdns.Want) bool {
	return a.Server == b.Server && slices.EqualFunc(a.Links, b.Links, func(x, y hostdns.Link) bool {
		return x.Interface == y.Interface && slices.Equal(x.Search, y.Search) && slices.Equal(x.Routed, y.Routed)
	})
}

// open has the server listen.
func (r *Resolver) open() (*server, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server != nil {
		return r.server, nil
	}
	s, err := r.cfg.serve()
	if err != nil {
		return nil, err
	}
	r.server, r.state.Since = s, time.Now()
	return s, nil
}

// apply makes the host what is wanted.
func (r *Resolver) apply() {
	state, err := r.cfg.Host.Set(r.want)
	if r.set = err == nil; err != nil && !r.known(err) {
		r.cfg.Log.Warn("names of networks not set up", logx.Err, err)
	}
	r.tell(state, err)
}

// known reports whether a fault was told already.
func (r *Resolver) known(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Fault != nil && r.state.Fault.Error() == err.Error()
}

// look sees whether the host is as it was left, and puts back what is not, within bounds.
func (r *Resolver) look() {
	if len(r.want.Links) == 0 {
		r.follow() // what could not be listened for is tried again
		return
	}
	if !r.set {
		r.apply()
		return
	}
	state, err := r.cfg.Host.Look(r.want)
	hourAgo := time.Now().Add(-time.Hour)
	r.restores = slices.DeleteFunc(r.restores, func(t time.Time) bool { return t.Before(hourAgo) })
	switch {
	case err != nil || state.InPlace:
		r.tell(state, err)
	case len(r.restores) < MaxRestores:
		r.restores = append(r.restores, time.Now())
		r.cfg.Log.Info("names of networks were taken out by somebody else; putting them back", logx.Reason, state.Manager)
		r.apply()
	default:
		r.tell(state, fight(state))
	}
}

// fight says that somebody else wants the host to be otherwise.
func fight(s hostdns.State) error {
	return &hostdns.Fault{Code: "names-fight", Why: fmt.Sprintf("something else keeps taking the names of networks out of %s", s.Path),
		Hint: "see what writes it (its first lines may say), have that one leave it alone or use systemd-resolved, or give the names up: sudo cvlan set dns off"}
}

// end leaves the host as it was, and stops listening.
func (r *Resolver) end() {
	r.mu.Lock()
	s := r.server
	r.mu.Unlock()
	if s == nil {
		return
	}
	if _, err := r.cfg.Host.Set(hostdns.Want{}); err != nil {
		r.cfg.Log.Error("names of networks not taken out of the host's settings", logx.Err, err)
	}
	r.networks, r.want, r.set = nil, hostdns.Want{}, false
	r.mu.Lock()
	r.server, r.state = nil, State{}
	r.mu.Unlock()
	s.close()
	r.cfg.Changed()
}

// tell keeps how the host is, and passes on questions to those whom it had before.
func (r *Resolver) tell(s hostdns.State, err error) {
	r.mu.Lock()
	v := r.server
	changed := !sameFault(r.state.Fault, err) || r.state.Host.Manager != s.Manager || r.state.Host.InPlace != s.InPlace || r.state.Restored != len(r.restores)
	r.state.Host, r.state.Fault, r.state.Restored = s, err, len(r.restores)
	r.mu.Unlock()
	if v != nil && !slices.Equal(v.forward.Load().servers, s.Upstreams) {
		v.forward.Store(&forwarder{servers: s.Upstreams, dial: r.cfg.Dial})
	}
	r.describe()
	if changed {
		r.cfg.Changed()
	}
}

func sameFault(a, b error) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error()
}

// describe keeps what there is to be seen of the networks.
func (r *Resolver) describe() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Networks, r.state.Search, r.state.Names = nil, nil, 0
	for _, n := range r.networks {
		r.state.Networks = append(r.state.Networks, n.Names.Domain)
	}
	for _, l := range r.want.Links {
		r.state.Search = append(r.state.Search, l.Search...)
	}
	if r.server != nil {
		r.state.Server, r.state.Names = r.server.at, r.server.book.Load().Size()
	}
}

// State returns how it is now.
func (r *Resolver) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.state
	if r.server != nil {
		c := &r.server.counters
		s.Answered, s.Forwarded, s.Failed = c.Answered.Load(), c.Forwarded.Load(), c.Failed.Load()
	}
	return s
}

// Problem returns what keeps programs from finding names, in words for people; nil: nothing that is known.
func (s *State) Problem() *hostdns.Fault {
	if s.Fault == nil {
		return nil
	}
	if f := (*hostdns.Fault)(nil); errors.As(s.Fault, &f) {
		return f
	}
	return &hostdns.Fault{Code: "names-not-set", Why: s.Fault.Error(), Hint: "the daemon's log may say more; it is tried again"}
}
