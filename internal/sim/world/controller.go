package world

import (
	"context"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/controller"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// Controller is the world's controller, which may be stopped, killed, and restored from a backup.
type Controller struct {
	w    *World
	dir  string
	skew time.Duration

	live *controller.Controller // nil: not running
	stop context.CancelFunc
	done chan struct{}
	cut  atomic.Bool // its sockets were taken away: it may complain
}

// Start starts it on its data folder.
func (c *Controller) Start() {
	c.w.T.Helper()
	host := c.w.Net.Host(controllerAddr)
	tcp, err := host.Listen(controllerPort)
	if err != nil {
		c.w.T.Fatal(err)
	}
	udp, err := host.ListenPacket(controllerPort)
	if err != nil {
		c.w.T.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	live, err := controller.New(ctx, c.config(controller.Sockets{TCP: tcp, UDP: udp}))
	if err != nil {
		c.w.T.Fatal(err)
	}
	c.live, c.stop, c.done = live, stop, make(chan struct{})
	c.cut.Store(false)
	go func() {
		defer close(c.done)
		if err := live.Run(ctx, nil); err != nil && !c.cut.Load() {
			c.w.T.Errorf("controller: %v", err)
		}
	}()
}

func (c *Controller) config(s controller.Sockets) controller.Config {
	return controller.Config{Data: c.dir, Listen: fmt.Sprintf(":%d", controllerPort), Addresses: []string{fmt.Sprintf("%s:%d", controllerAddr, controllerPort)},
		Log: c.w.log.With("who", "controller"), Now: func() time.Time { return c.w.Now().Add(c.skew) }, Sockets: s}
}

// Stop ends it in an orderly way. It may be stopped already.
func (c *Controller) Stop() {
	if c.live == nil {
		return
	}
	c.stop()
	<-c.done
	c.live = nil
}

// Kill ends it without a word to anybody: its sockets vanish first.
func (c *Controller) Kill() {
	c.cut.Store(true)
	c.w.Net.Host(controllerAddr).PowerCut()
	c.Stop()
}

// Backup copies its database; Restore stops it, puts the copy back and starts it again.
func (c *Controller) Backup() (path string) {
	path = filepath.Join(c.w.T.TempDir(), "backup.db")
	if err := c.live.Store().Backup(c.w.Background(), path); err != nil {
		c.w.T.Fatal(err)
	}
	return path
}

// Restore stops it, puts a backup in the place of its database, and starts it again.
func (c *Controller) Restore(path string) {
	c.Stop()
	if _, err := controller.Restore(c.w.Background(), c.config(controller.Sockets{}), path); err != nil {
		c.w.T.Fatal(err)
	}
	c.Start()
}

// Tenant returns the handle of the tenant that every controller begins with.
func (c *Controller) Tenant() store.Handle { return c.live.Store().For(c.tenant()) }

func (c *Controller) tenant() ident.Tenant {
	t, err := c.live.Store().TenantByName(c.w.Background(), controller.DefaultTenant)
	if err != nil {
		c.w.T.Fatal(err)
	}
	return t.ID
}

// Network makes a network in which everybody may reach everybody, or one without a rule.
func (c *Controller) Network(name string, open bool) store.Network {
	n, err := c.Tenant().CreateNetwork(c.w.Background(), "story", store.Network{Name: name}, open)
	if err != nil {
		c.w.T.Fatal(err)
	}
	return n
}

// Policy puts a document in force.
func (c *Controller) Policy(n store.Network, text string) {
	if _, err := c.Tenant().PutPolicy(c.w.Background(), n.ID, []byte(text), "story", "", ""); err != nil {
		c.w.T.Fatal(err)
	}
}

// Key makes a join key for any number of machines, edited by change.
func (c *Controller) Key(n store.Network, change func(*store.JoinKey)) string {
	secret := key.NewSecret()
	k := store.JoinKey{Network: n.ID, Hash: secret.Hash()}
	if change != nil {
		change(&k)
	}
	k, err := c.Tenant().CreateJoinKey(c.w.Background(), "story", k)
	if err != nil {
		c.w.T.Fatal(err)
	}
	s, err := ticket.Ticket{Kind: ticket.Join, Addrs: c.live.Addresses(), Pin: c.live.Pin(), ID: uint64(k.ID), Secret: secret}.Encode()
	if err != nil {
		c.w.T.Fatal(err)
	}
	return s
}

// Rotates gives the tenant's authority another key, and EndsOld ends the one before, whatever depends on it.
func (c *Controller) Rotates() {
	c.w.T.Helper()
	if err := c.live.Rotation().Begin(c.w.Background(), "story", c.tenant()); err != nil {
		c.w.T.Fatal(err)
	}
}

// EndsOld is told of above.
func (c *Controller) EndsOld() {
	c.w.T.Helper()
	old, err := c.Tenant().OldAuthorities(c.w.Background())
	if err == nil {
		err = c.live.Rotation().End(c.w.Background(), "story", c.tenant(), old[0])
	}
	if err != nil {
		c.w.T.Fatal(err)
	}
}

// Signs returns the serial of the authority that signs now.
func (c *Controller) Signs() string {
	c.w.T.Helper()
	a, err := c.live.Store().Authority(c.w.Background(), c.tenant())
	if err != nil {
		c.w.T.Fatal(err)
	}
	cert, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		c.w.T.Fatal(err)
	}
	return store.Serial(cert)
}

// Sessions counts the nodes that are connected.
func (c *Controller) Sessions() int { return c.live.Sessions() }

// copyFolder copies a folder of plain files and folders, for its owner's eyes only.
func copyFolder(to, from string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
}

// id returns the identifier of a node by its present name.
func (w *World) id(name string) ident.Node {
	w.T.Helper()
	nodes, err := w.Controller.Tenant().Nodes(w.Background(), 0)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, n := range nodes {
		if n.Name == name {
			return n.ID
		}
	}
	w.T.Fatalf("there is no node %s", name)
	return 0
}
