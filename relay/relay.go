// Package relay wires a relay: who may use it (admit), what carries frames (server), the session with the controller (session), and
// the doors for people: /health and /metrics on loopback, and a socket in its folder for stats and drain.
//
// A relay joins once, with a key, and keeps what a restart needs in its folder. Then it needs neither the key nor the controller: it
// admits nodes by certificates and by what it has been told last.
package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	clock "github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/disk"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
	"github.com/cvlan/cvlan/proto/relay"
	"github.com/cvlan/cvlan/relay/admit"
	"github.com/cvlan/cvlan/relay/server"
	"github.com/cvlan/cvlan/relay/session"
)

// Relay is a relay's parts, open and ready to run.
type Relay struct {
	cfg      Config
	dir      *folder
	clock    *clock.Clock
	server   *server.Server
	started  time.Time
	list     atomic.Pointer[admit.List]      // nil until it has joined
	cert     atomic.Pointer[tls.Certificate] // likewise
	session  atomic.Pointer[session.Session] // likewise
	id       atomic.Uint64                   // likewise zero
	draining atomic.Bool
	doors    *doors
	keeper   keeper

	mu   sync.Mutex
	sent map[ident.Tenant]uint64 // counts that this session of the controller's has
}

// ErrNoKey is New's error for a relay that has neither joined nor a key.
var ErrNoKey = errors.New("this relay has not joined a controller yet, and there is no key; make one with `cvlan admin relay create NAME` and name its file with --key-file")

// New opens the folder and the sockets. What it opened, Run closes.
func New(cfg Config) (*Relay, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Relay{cfg: cfg, started: cfg.Now(), keeper: keeper{log: cfg.Log}}
	if err := r.open(); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *Relay) open() (err error) {
	if r.dir, err = openFolder(r.cfg.Data, r.cfg.Identity); err != nil {
		return err
	}
	if r.dir.member.Relay.IsZero() && r.cfg.Key == nil {
		return ErrNoKey
	}
	r.clock = clock.NewClock(r.cfg.Now, r.dir.heard)
	secret, err := r.dir.quicSecret()
	if err != nil {
		r.cfg.Log.Warn("QUIC's reset secret is not kept: clients notice a restart later", logx.Err, err)
	}
	c := server.Config{TLS: r.tls(), Admit: r, Region: r, Log: r.cfg.Log, NodeRate: r.cfg.NodeRate, TenantRate: r.cfg.TenantRate,
		ResetKey: secret, TokenKey: secret, Sockets: r.cfg.Sockets, Calm: r.cfg.Calm}
	if c.Port, err = portOf(r.cfg.Listen); err != nil {
		return err
	}
	if r.cfg.STUN != "" {
		if c.STUN, err = portOf(r.cfg.STUN); err != nil {
			return err
		}
	}
	if r.server, err = server.New(c); err != nil {
		return err
	}
	if !r.dir.member.Relay.IsZero() {
		if err := r.takeUp(r.dir.member); err != nil {
			return err
		}
	}
	r.doors, err = openDoors(r)
	return err
}

func (r *Relay) close() error {
	var errs []error
	if r.server != nil {
		stopped, cancel := context.WithCancel(context.Background())
		cancel()
		errs = append(errs, r.server.Run(stopped)) // closes its sockets
	}
	if r.doors != nil {
		errs = append(errs, r.doors.close())
	}
	if r.dir != nil {
		errs = append(errs, r.dir.lock.Release())
	}
	return errors.Join(errs...)
}

// takeUp makes a membership the relay's own: its certificate, and whom to admit.
func (r *Relay) takeUp(m session.Membership) error {
	root, err := x509.ParseCertificate(m.Root)
	if err != nil {
		return fmt.Errorf("root certificate: %w", err)
	}
	if err := r.show(m); err != nil {
		return err
	}
	list := admit.New(root, r.clock.Instant)
	b, copied, err := disk.Read(r.dir.file(admitFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil:
		if copied != disk.Main {
			r.cfg.Log.Warn("whom to admit was read from a copy", "copy", copied)
		}
		err = list.Load(b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.cfg.Log.Warn("whom to admit is not known until the controller has told it", logx.Err, err)
	}
	r.id.Store(uint64(m.Relay))
	r.list.Store(list)
	return nil
}

// show takes a certificate into use.
func (r *Relay) show(m session.Membership) error {
	leaf, err := x509.ParseCertificate(m.Leaf)
	if err != nil {
		return fmt.Errorf("the relay's certificate: %w", err)
	}
	r.cert.Store(&tls.Certificate{Certificate: [][]byte{m.Leaf, m.Root}, PrivateKey: r.dir.identity.Signer(), Leaf: leaf})
	return nil
}

// tls is what the relay proves. It asks for nothing: who registers shows who it is.
func (r *Relay) tls() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Nodes resume no sessions: who registers anew shows who it is now.
		SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := r.cert.Load(); c != nil {
				return c, nil
			}
			return nil, errors.New("the relay has not joined yet")
		},
	}
}

// Guest is the relay on somebody else's port, who has given it the UDP sockets beside QUIC's (sock.OpenBeside).
func (r *Relay) Guest() stream.Guest {
	return stream.Guest{ALPN: relay.ALPN, TLS: r.tls(), TCP: r.server.Attend, QUIC: r.server.AttendQUIC, Came: r.server.Came, Datagrams: true}
}

// Admit implements server.Admitter.
func (r *Relay) Admit(c *x509.Certificate) (ident.Tenant, ident.Node, time.Time, error) {
	if l := r.list.Load(); l != nil {
		return l.Admit(c)
	}
	return 0, 0, time.Time{}, errors.New("the relay has not joined yet")
}

// Joined reports whether the relay needs no key any more.
func (r *Relay) Joined() bool { return r.list.Load() != nil }

// Run serves until ctx is done or a part fails. ready is called once, when the relay has joined and listens.
func (r *Relay) Run(ctx context.Context, ready func()) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // the server outlives ctx, to move its clients
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.server.Run(serving) })
	g.Go(func() error { return r.doors.run(serving) })
	g.Go(func() error {
		defer stop()
		if err := r.join(ctx); err != nil || !r.Joined() { // told to stop before it had joined
			return err
		}
		if ready != nil {
			ready()
		}
		r.server.SetRegion(r.list.Load().Region())
		s := r.newSession()
		r.session.Store(s)
		var talks sync.WaitGroup
		talking, hush := context.WithCancel(context.WithoutCancel(ctx))
		talks.Go(func() { s.Run(talking) })
		talks.Go(func() { r.keeper.run(talking) })
		<-ctx.Done()
		r.leave()
		hush()
		talks.Wait()
		return nil
	})
	err := g.Wait()
	return errors.Join(err, r.dir.lock.Release())
}

// join redeems the key, if that has not been done.
func (r *Relay) join(ctx context.Context) error {
	if r.Joined() {
		return nil
	}
	k, err := r.cfg.Key(ctx)
	if err != nil {
		return fmt.Errorf("the relay's key: %w", err)
	}
	m, err := session.Join(ctx, k, session.JoinConfig{Identity: r.dir.identity, Addrs: r.cfg.Controller, Clock: r.clock,
		Transport: r.cfg.Transport, Dial: r.cfg.Dial, Log: r.cfg.Log})
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("join: %w", err)
	}
	if err := r.dir.keep(m, r.clock.Heard()); err != nil {
		return fmt.Errorf("keep the membership: %w", err)
	}
	r.dir.member = m
	r.cfg.Log.Info("joined", "relay", m.Relay)
	return r.takeUp(m)
}

func (r *Relay) newSession() *session.Session {
	m := r.dir.member
	if len(r.cfg.Controller) > 0 {
		m.Addrs = r.cfg.Controller
	}
	return session.New(session.Config{
		Membership: m, Identity: r.dir.identity, Clock: r.clock, Transport: r.cfg.Transport, Dial: r.cfg.Dial, Log: r.cfg.Log,
		Status: r.status, Begin: r.begin, Update: r.update,
		Renewed: func(leaf []byte) error {
			r.dir.member.Leaf = leaf
			return errors.Join(r.show(r.dir.member), r.keepMember())
		},
		Moved: func(addrs []string) error {
			r.dir.member.Learned = addrs
			return r.keepMember()
		},
	})
}

func (r *Relay) begin() {
	r.mu.Lock()
	r.sent = nil
	r.mu.Unlock()
	r.list.Load().Begin()
}

// update takes a piece of whom to admit, cuts off whom it names, and keeps it.
func (r *Relay) update(m *pb.RelayUpdate) error {
	list := r.list.Load()
	cut, changed, err := list.Apply(m)
	if err != nil || !changed {
		return err
	}
	for _, n := range cut.Nodes {
		r.server.Revoke(n)
	}
	for _, t := range cut.Tenants {
		r.server.RevokeTenant(t)
	}
	r.server.SetRegion(list.Region())
	if err := r.keeper.keep(admitFile, func() error { return disk.Write(r.dir.file(admitFile), list.Encode()) }); err != nil {
		r.cfg.Log.Error("whom to admit is not kept: a restart without the controller would not know it", logx.Err, err)
	}
	return nil
}

// status is what the controller is told. Counts are totals; those that have not changed in this session are left out.
func (r *Relay) status(all bool) *pb.RelayStatus {
	m := &pb.RelayStatus{Addresses: r.Addresses(), Region: r.cfg.Region, Draining: r.draining.Load()}
	if r.cfg.STUN != "" {
		port, _ := portOf(r.cfg.STUN)
		m.StunPort = uint32(port)
	}
	st := r.server.Stats()
	m.Clients = uint32(st.Clients)
	if !all {
		return m
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := map[ident.Tenant]uint64{}
	for t, meter := range st.Relayed {
		now[t] = meter.Bytes
		if now[t] != r.sent[t] {
			m.Metered = append(m.Metered, &pb.Metered{Tenant: uint64(t), Bytes: now[t]})
		}
	}
	r.sent = maps.Clone(now)
	return m
}

// Addresses are where nodes reach the relay, as far as it knows.
func (r *Relay) Addresses() []string {
	if len(r.cfg.Advertise) > 0 {
		return r.cfg.Advertise
	}
	port, _ := portOf(r.cfg.Listen)
	return own(port, r.cfg.Skip)
}

// Drain tells the controller and the clients that the relay is about to stop, and returns when no client is left or ctx is done.
func (r *Relay) Drain(ctx context.Context) error {
	r.draining.Store(true)
	if s := r.session.Load(); s != nil {
		s.Changed()
	}
	r.cfg.Log.Info("draining", "clients", r.server.Stats().Clients)
	return r.server.Drain(ctx)
}

// goodbye and goodbyeEach are what it takes to tell all clients.
const (
	goodbye     = 200 * time.Millisecond
	goodbyeEach = 500 * time.Microsecond
)

// leave is Drain at the end, if there is anywhere to go. If not the clients are told all the same, and not waited for: they watch for the relay then, and are there
// again as soon as it is.
func (r *Relay) leave() {
	others := 0
	for _, n := range r.list.Load().Neighbours() {
		if !n.Draining {
			others++
		}
	}
	limit := r.cfg.DrainTime
	if limit <= 0 {
		return
	}
	if others == 0 {
		limit = min(limit, goodbye+time.Duration(r.server.Stats().Clients)*goodbyeEach)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if others == 0 {
		_ = r.server.Drain(ctx) // some cannot go
		return
	}
	if err := r.Drain(ctx); err != nil {
		r.cfg.Log.Info("some clients have not gone elsewhere", "clients", r.server.Stats().Clients)
	}
}

// CertificateEnd is when the relay's certificate ends; zero before it has joined.
func (r *Relay) CertificateEnd() time.Time {
	if c := r.cert.Load(); c != nil {
		return c.Leaf.NotAfter
	}
	return time.Time{}
}
