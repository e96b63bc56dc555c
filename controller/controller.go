// Package controller wires a controller: the store, the authority, the hub, admission, the admin API, and the listeners in front.
package controller

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/enroll"
	"github.com/cvlan/cvlan/controller/fleet"
	"github.com/cvlan/cvlan/controller/hub"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/controller/store/sqlite"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/sys/disk"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// Controller is a controller's parts, open and ready to run.
type Controller struct {
	cfg       Config
	addresses []string
	started   time.Time
	store     store.Store
	ca        *ca.CA
	hub       *hub.Hub
	fleet     *fleet.Fleet
	desk      *enroll.Desk
	listener  *stream.Listener
	web       *web
	door      *web
	vigil     *vigil
}

// New opens the data folder, makes what a first start lacks, and binds the sockets. What it opened, Run closes.
func New(ctx context.Context, cfg Config) (*Controller, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	addresses, err := reachable(cfg)
	if err != nil {
		return nil, fmt.Errorf("find this machine's addresses: %w; name one with --address", err)
	}
	c := &Controller{cfg: cfg, addresses: addresses, started: cfg.Now()}
	c.vigil = newVigil(c)
	if err := errors.Join(c.open(ctx)); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *Controller) open(ctx context.Context) (err error) {
	opened, err := sqlite.Open(ctx, sqlite.Config{Dir: c.cfg.Data, Now: c.cfg.Now, Log: c.cfg.Log})
	if err != nil {
		return err // and c.store stays nil: close asks it
	}
	c.store = opened
	meta := c.store.Meta()
	if c.ca, err = ca.Open(ctx, ca.Config{Keeper: c.store, Domain: meta.TrustDomain, Controller: meta.Controller, Now: c.cfg.Now}); err != nil {
		return err
	}
	if err := c.firstStart(ctx); err != nil {
		return err
	}
	c.desk = enroll.New(enroll.Config{Store: c.store, Issuer: c.ca, Now: c.cfg.Now, Log: c.cfg.Log,
		RelayJoined: func(r store.Relay) { c.fleet.Joined(r) }})
	if c.fleet, err = fleet.Open(ctx, fleet.Config{Store: c.store, Renewer: c.desk, Addresses: c.addresses, Now: c.cfg.Now, Log: c.cfg.Log,
		Changed: func() { c.hub.RelaysChanged() }}); err != nil {
		return err
	}
	c.hub = hub.New(hub.Config{Store: c.store, Renewer: c.desk, Boot: random(), Transport: c.cfg.Transport, Addresses: c.addresses,
		Relays: c.fleet.Relays, Removed: c.fleet.NodeRemoved, Waits: c.fleet.NodeWaits, Now: c.cfg.Now, Log: c.cfg.Log})
	secret := c.quicSecret()
	c.listener, err = stream.Listen(ctx, stream.ListenConfig{
		Addr: c.cfg.Listen, TLS: stream.ServerTLS{Certificate: c.ca.Server, Admit: c.admit},
		ResetKey: secret, TokenKey: secret, Log: c.cfg.Log, TCP: c.cfg.Sockets.TCP, UDP: c.cfg.Sockets.UDP,
		Guests: c.cfg.Guests,
	})
	if err != nil {
		return err
	}
	if c.web, err = c.openWeb(ctx); err != nil {
		return err
	}
	c.door, err = c.openDoor(ctx)
	return err
}

func (c *Controller) close() error {
	var errs []error
	if c.listener != nil {
		errs = append(errs, c.listener.Close())
	}
	if c.store != nil {
		errs = append(errs, c.store.Close())
	}
	return errors.Join(errs...)
}

// Run serves until ctx is done or a part fails. ready is called once, when everything listens.
func (c *Controller) Run(ctx context.Context, ready func()) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.hub.Run(ctx) })
	g.Go(func() error { return c.fleet.Run(ctx) })
	g.Go(func() error { return c.listener.Serve(ctx, c.serve) })
	g.Go(func() error { return c.web.run(ctx) })
	g.Go(func() error { return c.door.run(ctx) })
	g.Go(func() error { return c.vigil.run(ctx) })
	c.cfg.Log.Info("controller ready", logx.Addr, c.listener.Addr(), "epoch", c.store.Meta().Epoch)
	if ready != nil {
		ready()
	}
	return errors.Join(g.Wait(), c.store.Close())
}

// Addresses are where nodes reach this controller, as join keys carry them.
func (c *Controller) Addresses() []string { return c.addresses }

// AdminKey returns where the first admin key is, and whether it still is there.
func (c *Controller) AdminKey() (path string, there bool) {
	if abs, err := filepath.Abs(c.adminKeyPath()); err == nil {
		return abs, c.hasAdminKey()
	}
	return c.adminKeyPath(), c.hasAdminKey()
}

// serve gives each stream to whom it concerns: strangers to the desk, nodes to the hub, relays to the fleet.
func (c *Controller) serve(ctx context.Context, s stream.Stream) {
	chain := s.Info().Chain
	if len(chain) == 0 {
		c.desk.Serve(ctx, s)
		return
	}
	name, err := c.verify(chain)
	switch {
	case err != nil: // admit has let it pass a moment ago: it has just expired
	case name.Role == trust.RoleRelay:
		c.fleet.Serve(ctx, name.Relay, s)
	default:
		c.hub.Serve(ctx, name.Tenant, name.Node, s)
	}
}

// admit judges the chain of a node or relay. Whether it still exists is the hub's question or the fleet's, because they can say so to it.
func (c *Controller) admit(chain []*x509.Certificate) error {
	_, err := c.verify(chain)
	return err
}

func (c *Controller) verify(chain []*x509.Certificate) (trust.Name, error) {
	now := trust.Clock{Local: c.cfg.Now}.Now()
	if n, err := trust.NameOf(chain[0]); err == nil && n.Role == trust.RoleRelay {
		return trust.VerifyRelay(chain, c.ca.Pin(), now)
	}
	n, err := trust.VerifyNode(chain, c.ca.RootCertificate(), now)
	if err == nil {
		err = c.believe(n, chain[0])
	}
	return n, err
}

// believe refuses a node's certificate that was revoked because its authority's key has leaked, and one for another key than the node joined
// with: whoever has that authority's key can make such. Deleted nodes are let in as far as the hub, which tells them so. While the database
// does not answer nobody is turned away.
func (c *Controller) believe(n trust.Name, leaf *x509.Certificate) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	h := c.store.For(n.Tenant)
	if kept, err := h.Certificate(ctx, store.Serial(leaf)); err == nil && !kept.Revoked.IsZero() && kept.Reason == store.Superseded {
		return fmt.Errorf("the certificate of node %s was revoked with the key that signed it", n.Node)
	}
	node, err := h.Node(ctx, n.Node)
	if err != nil {
		return nil
	}
	if held, err := key.PublicOf(leaf.PublicKey); err != nil || held != node.Identity {
		return fmt.Errorf("the certificate is not for the key that node %s has joined with", n.Node)
	}
	return nil
}

// rotated tells nodes and relays what a tenant's authorities are worth now.
func (c *Controller) rotated(ctx context.Context, t ident.Tenant) {
	c.vigil.poke()
	c.fleet.AuthoritiesChanged(t)
	if err := c.hub.AuthoritiesChanged(ctx, t); err != nil {
		c.cfg.Log.Error("nodes are not told of a new authority before the next start", logx.Tenant, t, logx.Err, err)
	}
}

// quicSecret returns what lets nodes notice a restart at once; without a place to keep it they need a little longer.
func (c *Controller) quicSecret() (s [32]byte) {
	path := filepath.Join(c.cfg.Data, "quic.key")
	if b, _, err := disk.Read(path); err == nil && len(b) == len(s) {
		return [32]byte(b)
	}
	rand.Read(s[:])
	if err := disk.Write(path, s[:]); err != nil {
		c.cfg.Log.Warn("QUIC's reset secret is not kept: nodes notice a restart later", logx.Err, err)
	}
	return s
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// newTenant is how the admin API makes tenants.
func (c *Controller) newTenant(ctx context.Context, actor, name string) (store.Tenant, error) {
	t, err := makeTenant(ctx, c.store, c.ca, actor, ident.New[ident.Tenant](), name)
	if err == nil {
		c.vigil.poke()
		c.fleet.AuthoritiesChanged(t.ID)
	}
	return t, err
}

// Rotation changes tenants' authorities, for tools that run in the same process.
func (c *Controller) Rotation() ca.Rotation {
	return ca.Rotation{CA: c.ca, Store: c.store, Told: c.rotated}
}

// Store returns the database, for tools that run in the same process.
func (c *Controller) Store() store.Store { return c.store }

// Pin returns what nodes know the controller's authority by.
func (c *Controller) Pin() [32]byte { return c.ca.Pin() }

// Sessions counts the nodes that are connected now.
func (c *Controller) Sessions() int { return c.hub.Sessions() }
