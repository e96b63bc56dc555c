package session

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/sys/machine"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Bounds.
const (
	// MaxEndpoints is how many endpoints are reported; more are cut off.
	MaxEndpoints = 16
	// MaxAddrs is how many addresses of controllers are kept.
	MaxAddrs = 16
	// maxPunches is how many requests to punch wait to be sent.
	maxPunches = 8
)

// Table is the node's map, as the session needs it.
type Table interface {
	// Cursor says how much of the map there is; nil: nothing.
	Cursor() *pb.Cursor
	// Apply takes one piece. After any error the session starts again with the cursor that the table then has.
	Apply(context.Context, *pb.Map) error
	// Self returns the node's own record as the map shows it, and whether it is signed there; nil while the map has none.
	Self() (record []byte, signed bool)
	// Rules names the rules that the node applies; 0: it has none.
	Rules() uint64
}

// Config is what a session needs. The functions must not block for long and must not call the session's Run.
type Config struct {
	Membership Membership
	Identity   key.Identity
	WG         key.WGPublic
	Software   *pb.Software     // nil: this build's
	Transport  stream.Transport // until SetTransport
	Dial       Dialer
	Clock      *Clock
	Table      Table
	Log        *slog.Logger
	// Changed is told after State has changed; nil: nobody.
	Changed func()
	// Renewed keeps a new certificate chain. An error is logged; the chain is used nevertheless.
	Renewed func(chain [][]byte) error
	// Moved keeps the addresses that the controller wants to be reached at from now on, besides those of the join key.
	Moved func(addrs []string) error
	// Punched is told that a peer and this node are to open their NATs toward each other now; nil: nobody is. It must not block.
	Punched func(peer ident.Node)
	// Speech is what the node's record is to say that it speaks; nil: whatever it says.
	Speech func() control.Speech
	// Random returns a duration from 0 to below its argument; nil: from math/rand.
	Random func(time.Duration) time.Duration
}

// Session keeps one node connected. It is made by New and lives in Run.
type Session struct {
	cfg      Config
	log      *slog.Logger
	self     identity
	instance []byte
	state    atomic.Pointer[State]
	shown    atomic.Pointer[tls.Certificate]

	mu       sync.Mutex
	reach    *pb.Report // nil: nothing has been reported yet
	at       *Reach     // what it was made of,
	offers   []netip.Prefix
	reported chan struct{}
	wake     chan struct{}
	restate  chan struct{}
	punches  chan ident.Node
	early    chan struct{}
	turn     chan struct{}
	by       atomic.Pointer[stream.Transport] // that is wanted

	// Owned by Run's goroutine.
	chain    [][]byte
	addrs    []string // learned from Welcome
	steer    stream.Transport
	signed   *pb.Signed // the newest signature made
	verbatim bool       // the controller takes no amended record
	distrust int        // how often in a row the map was refused
	renewal  renewal
	hurry    bool                   // a new certificate is wanted before it is due
	tickets  tls.ClientSessionCache // for the chain of now
	raced    time.Time              // when all transports were tried last
}

// New returns a session that does nothing until Run.
func New(cfg Config) *Session {
	s := &Session{
		cfg:      cfg,
		log:      cfg.Log.With(logx.Node, cfg.Membership.Node.String()),
		self:     identity{cfg.Membership.Tenant, cfg.Membership.Network, cfg.Membership.Node, cfg.Identity, cfg.WG},
		instance: make([]byte, 16),
		chain:    cfg.Membership.Chain,
		addrs:    cfg.Membership.Learned,
		reported: make(chan struct{}, 1),
		wake:     make(chan struct{}, 1),
		restate:  make(chan struct{}, 1),
		punches:  make(chan ident.Node, maxPunches),
		early:    make(chan struct{}, 1),
		turn:     make(chan struct{}, 1),
	}
	s.by.Store(&cfg.Transport)
	rand.Read(s.instance)
	s.show(s.chain)
	if s.cfg.Software == nil {
		s.cfg.Software = ThisSoftware("")
	}
	s.renewal, s.tickets = newRenewal(cfg.Random, s.chain), newTickets()
	s.state.Store(&State{Phase: Connecting, Since: cfg.Clock.Now(), Address: first(s.dialed()), CertUntil: until(s.chain)})
	return s
}

// Restate has the node sign its record anew, because what it speaks has changed. It may be called from any goroutine.
func (s *Session) Restate() {
	select {
	case s.restate <- struct{}{}:
	default:
	}
}

// newTickets makes a cache for one controller's few addresses. A ticket speaks for the certificate that it was given to.
func newTickets() tls.ClientSessionCache { return tls.NewLRUClientSessionCache(4) }

// ThisSoftware describes this build and machine.
func ThisSoftware(hostname string) *pb.Software {
	s := machine.This()
	return &pb.Software{Version: version.Get().Version, Os: runtime.GOOS, Arch: runtime.GOARCH, Hostname: hostname, OsVersion: s.Version, Distro: s.Distro, DistroVersion: s.DistroVersion}
}

// State returns what the session is doing now.
func (s *Session) State() State { return *s.state.Load() }

// Reach is where a node can be reached.
type Reach struct {
	Endpoints []netip.AddrPort
	Kinds     []byte      // of Endpoints, one for each, as disco's candidate kinds; nil: not known
	Home      ident.Relay // the relay where the node always can be reached; zero: none
}

func (r Reach) message(offers []netip.Prefix) *pb.Report {
	n := min(len(r.Endpoints), MaxEndpoints)
	m := &pb.Report{HomeRelay: uint64(r.Home), Endpoints: make([][]byte, 0, n)}
	for _, e := range r.Endpoints[:n] {
		m.Endpoints = append(m.Endpoints, control.AppendEndpoint(nil, e))
	}
	if len(r.Kinds) == len(r.Endpoints) {
		m.Kinds = r.Kinds[:n]
	}
	m.Routes = control.AppendRoutes(nil, offers)
	return m
}

// Report says where this node can be reached. Only a difference is sent, the newest one, at most once a second.
func (s *Session) Report(r Reach) {
	s.mu.Lock()
	s.at = &r
	s.reach = r.message(s.offers)
	s.mu.Unlock()
	poke(s.reported)
}

// Offer says which prefixes this node would forward to, in the order of control.CompareRoutes. It travels with what Report says.
func (s *Session) Offer(routes []netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offers = routes; s.at != nil {
		s.reach = s.at.message(routes)
		poke(s.reported)
	}
}

// Punch asks the controller to have this node and a peer open their NATs toward each other at one moment. While there is no session, or
// when too many ask, nothing happens.
func (s *Session) Punch(peer ident.Node) {
	select {
	case s.punches <- peer:
	default:
	}
}

// Renew has the node ask for a new certificate now instead of when it is due. While there is no session it is asked for in the next one. It may be
// called from any goroutine.
func (s *Session) Renew() { poke(s.early) }

// SetTransport has the controller spoken with in another way: what is connected otherwise connects anew. It may be called from any goroutine.
func (s *Session) SetTransport(t stream.Transport) {
	s.by.Store(&t)
	poke(s.turn)
}

// fits reports whether a connection is of the kind that is wanted.
func (s *Session) fits(t stream.Transport) bool {
	want := *s.by.Load()
	return want == "" || want == stream.Auto || want == t
}

// Wake says that the network has changed: a connection is probed, a wait is cut short.
func (s *Session) Wake() { poke(s.wake) }

// Run keeps the node connected until ctx is done. When it returns, the connection is closed and nothing of it is left.
func (s *Session) Run(ctx context.Context) {
	back := newBackoff(s.cfg.Random)
	for ctx.Err() == nil {
		end, lived := s.once(ctx)
		if end.stopped || ctx.Err() != nil {
			return
		}
		if end.turned {
			s.log.Info("control session is made anew by another transport")
			continue
		}
		wait := back.next(end, lived)
		s.waiting(end, lived, wait)
		s.rest(ctx, wait, end.ordered())
	}
}

// rest waits, until ctx is done, another transport is chosen or, unless the wait was ordered, until Wake.
func (s *Session) rest(ctx context.Context, wait time.Duration, ordered bool) {
	t := time.NewTimer(wait)
	defer t.Stop()
	wake := s.wake
	if ordered {
		wake = nil
	}
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-wake:
	case <-s.turn:
	}
}

func (s *Session) waiting(e ending, lived, wait time.Duration) {
	s.update(func(st *State) {
		now := s.cfg.Clock.Now()
		if st.Phase == Connected || st.Phase == Silent || st.Since.IsZero() {
			st.Since = now
		}
		st.Phase, st.Transport, st.Problem, st.NextTry = Waiting, "", e.problem, now.Add(wait)
		if e.verdict != Fine {
			st.Verdict = e.verdict
		}
	})
	s.log.Info("control session ended", logx.Reason, e.problem.Code, logx.Err, e.problem.What, logx.Took, lived)
}

// update publishes a changed state and tells the owner.
func (s *Session) update(change func(*State)) {
	st := *s.state.Load()
	change(&st)
	s.state.Store(&st)
	if s.cfg.Changed != nil {
		s.cfg.Changed()
	}
}

// contact notes that a frame has arrived; that alone is no change worth telling.
func (s *Session) contact() {
	st := *s.state.Load()
	st.Contact = s.cfg.Clock.Now()
	s.state.Store(&st)
}

// dialed returns where to look for the controller: what it said last, then what the join key said.
func (s *Session) dialed() []string {
	var all []string
	for _, a := range append(slices.Clone(s.addrs), s.cfg.Membership.Addrs...) {
		if !slices.Contains(all, a) && len(all) < MaxAddrs {
			all = append(all, a)
		}
	}
	return all
}

func first(a []string) string {
	if len(a) == 0 {
		return ""
	}
	return a[0]
}

// poke leaves a token in a channel of one; a token that waits already stands for this one too.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// identity is who the node is: what its record must say before it signs it.
type identity struct {
	tenant  ident.Tenant
	network ident.Network
	node    ident.Node
	key     key.Identity
	wg      key.WGPublic
}
