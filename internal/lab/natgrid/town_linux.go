package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/series"
)

const (
	network = "grid"
	// ready is how long a restarted node may take to be in its network again; settle is what it then gets to find out where it is.
	ready  = 20 * time.Second
	settle = 1500 * time.Millisecond
	relays = 2
	// pace is how often what nothing reports is looked at.
	pace = 10 * time.Millisecond
)

// town is a controller, its relays, and the computers behind their routers, all in one network.
type town struct {
	lab    *lab.Lab
	set    deploy.Set
	ctl    *deploy.Controller
	relays []*deploy.Relay
	delay  time.Duration // of each site's way to the internet
	nodes  []*node
}

// node is a computer of the network.
type node struct {
	*deploy.Node
	name  string // in the network
	site  *lab.Site
	inner netip.Addr // its address in the network
	api   *local.Client
}

// found starts the controller and, where they are built, the relays.
func found(ctx context.Context, l *lab.Lab, set deploy.Set, delay time.Duration) (*town, error) {
	t := &town{lab: l, set: set, delay: delay}
	var err error
	if t.ctl, err = set.Controller(ctx, l.Public("ctl"), "--log-level", "info"); err != nil {
		return nil, err
	}
	if _, err = t.ctl.Admin(ctx, "", "network", "create", network); err != nil {
		return nil, err
	}
	if _, err := os.Stat(set.Path("cvlan-relay")); err != nil {
		fmt.Println("without relays: cvlan-relay is not built")
		return t, nil
	}
	for i := range relays {
		name := fmt.Sprintf("relay%d", i+1)
		r, err := set.Relay(ctx, t.ctl, l.Public(name), name)
		if err != nil {
			return nil, err
		}
		t.relays = append(t.relays, r)
	}
	return t, nil
}

// settler places a computer on a site and joins it to the network. Computers of one call join at the same time.
func (t *town) settle(ctx context.Context, sites ...*lab.Site) ([]*node, error) {
	key, err := t.ctl.Key(ctx, network, "--uses", fmt.Sprint(len(sites)))
	if err != nil {
		return nil, err
	}
	made, errs := make([]*node, len(sites)), make([]error, len(sites))
	for i, s := range sites {
		name := fmt.Sprintf("n%d", len(t.nodes)+i)
		h := s.Host(name)
		if err := series.Echo(h); err != nil {
			return nil, err
		}
		made[i] = &node{name: name, site: s, api: local.NewClient(h.Path(local.DefaultSocket)), Node: &deploy.Node{Host: h}}
	}
	gate := make(chan struct{}, 4) // computers that join at once
	var all sync.WaitGroup
	for i, n := range made {
		all.Go(func() {
			gate <- struct{}{}
			errs[i] = t.join(ctx, n, key)
			<-gate
		})
	}
	all.Wait()
	t.nodes = append(t.nodes, made...)
	return made, errors.Join(errs...)
}

func (t *town) join(ctx context.Context, n *node, key string) (err error) {
	if n.Node, err = t.set.Node(ctx, n.Host, "--log-level", "debug"); err != nil {
		return err
	}
	if _, err = n.Join(ctx, key); err != nil {
		return err
	}
	out, err := n.CLI(ctx, "ip", "-4")
	if err == nil {
		n.inner, err = netip.ParseAddr(strings.TrimSpace(out))
	}
	if err != nil {
		return fmt.Errorf("learn the address of %s: %w", n.name, err)
	}
	return nil
}

// site makes a site whose way to the internet takes its time.
func (t *town) site(name, spec string) *lab.Site {
	s := t.lab.Site(name, spec)
	if t.delay > 0 {
		s.Degrade(lab.Quality{Delay: t.delay})
	}
	return s
}

// afresh restarts the daemons of computers, and lets their routers forget them: nothing is left of what they had found out.
func afresh(ctx context.Context, all ...*node) error {
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, n := range all {
		wait.Go(func() { errs[i] = n.afresh(ctx) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return sleep(ctx, settle)
}

func (n *node) afresh(ctx context.Context) error {
	if err := n.Proc.Stop(ready); err != nil {
		said := n.Proc.Log()
		if i := max(strings.Index(said, "\npanic: "), strings.Index(said, "\nfatal error: ")); i >= 0 {
			said = said[i:]
		}
		return fmt.Errorf("stop the daemon of %s: %w; it said:\n%s", n.name, err, said[:min(len(said), 6000)])
	}
	n.site.Forget()
	if err := n.Start(ctx); err != nil {
		return err
	}
	return until(ctx, ready, n.name+" is in its network", func() (bool, error) {
		s, err := n.api.Status(ctx)
		return err == nil && len(s.Networks) == 1 && s.Networks[0].State == local.Up && s.Networks[0].Controller.Connected, err
	})
}

// path tells which way a node's traffic to another goes, and the relay's name.
func (n *node) path(ctx context.Context, to *node) (way, relay string) {
	p, err := n.api.Path(ctx, local.PathRequest{Peer: to.name})
	if err != nil {
		return "", ""
	}
	for _, c := range p.Candidates {
		if c.Chosen {
			relay = c.Relay
		}
	}
	return p.Path, relay
}

// direct reports whether both ends have chosen the direct way.
func direct(ctx context.Context, a, b *node) bool {
	one, _ := a.path(ctx, b)
	two, _ := b.path(ctx, a)
	return one == local.PathDirect && two == local.PathDirect
}

// until polls what nothing reports.
func until(ctx context.Context, limit time.Duration, what string, ok func() (bool, error)) error {
	var last error
	for end := time.Now().Add(limit); time.Now().Before(end); {
		done, err := ok()
		if done {
			return nil
		}
		last = err
		if err := sleep(ctx, pace); err != nil {
			return err
		}
	}
	return fmt.Errorf("wait until %s: not within %v (%w)", what, limit, errors.Join(last))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
