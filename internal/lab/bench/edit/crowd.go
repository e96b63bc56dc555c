package main

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

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// crowd is many nodes in one network.
type crowd struct {
	nodes  []member
	whole  int      // how many of them make of their map what a node does
	ranges []string // of addresses, one a ring
	bytes  atomic.Uint64
	stop   context.CancelFunc
	gone   sync.WaitGroup
}

// member is what is measured of a node.
type member interface {
	session.Table
	// knows returns how many others the node knows of, and its own address.
	knows() (int, netip.Addr)
	// ready tells that everybody has joined.
	ready()
	// applied holds at most one: when rules were put in force last.
	applied() chan time.Time
}

// joining is how many nodes join at a time.
const joining = 32

// gather makes the network, and joins the nodes.
func (c *controller) gather(ctx context.Context, n, whole int) (*crowd, error) {
	tenant := admin.InTenant{Tenant: admin.DefaultTenant}
	range4 := netip.MustParsePrefix("10.90.0.0/16")
	if _, err := admin.Call(ctx, c.client, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: tenant, Body: admin.NewNetwork{Name: "crowd", Range4: range4}}); err != nil {
		return nil, err
	}
	uses, hour := 0, int64(3600)
	made, err := admin.Call(ctx, c.client, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: tenant, Body: admin.NewJoinKey{Network: "crowd", Uses: &uses, TTLSeconds: &hour}})
	if err != nil {
		return nil, err
	}
	t, err := ticket.Parse(ticket.Join, made.Body.Key)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(ctx)
	all := &crowd{stop: stop, whole: whole}
	turns, failed := make(chan struct{}, joining), make(chan error, n)
	var joined sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		turns <- struct{}{}
		joined.Go(func() {
			defer func() { <-turns }()
			m, err := all.join(life, t, (i+1)*whole/n > i*whole/n)
			if err != nil {
				failed <- err
				return
			}
			mu.Lock()
			defer mu.Unlock()
			all.nodes = append(all.nodes, m)
		})
	}
	joined.Wait()
	if len(failed) > 0 {
		all.leave()
		return nil, <-failed
	}
	return all, all.sort(ctx, n)
}

// sort waits until everybody knows everybody, and divides the addresses that were given out into rings.
func (c *crowd) sort(ctx context.Context, n int) error {
	for {
		complete := true
		var addrs []netip.Addr
		for _, m := range c.nodes {
			others, addr := m.knows()
			complete = complete && others == n-1
			addrs = append(addrs, addr)
		}
		if complete {
			for _, m := range c.nodes {
				m.ready()
			}
			slices.SortFunc(addrs, netip.Addr.Compare)
			for i := range rings {
				c.ranges = append(c.ranges, addrs[i*n/rings].String()+"-"+addrs[(i+1)*n/rings-1].String())
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *crowd) leave() {
	c.stop()
	c.gone.Wait()
}

func (c *crowd) join(ctx context.Context, t ticket.Ticket, whole bool) (member, error) {
	id, err := key.NewIdentity()
	if err != nil {
		return nil, err
	}
	wg := key.NewWGPrivate().Public()
	memory := new(stream.Recent)
	dial := func(ctx context.Context, t session.Target) (stream.Stream, error) {
		return stream.Dial(ctx, stream.DialConfig{Addrs: t.Addrs, TLS: t.TLS, Transport: t.Transport, Afresh: t.Afresh, Memory: memory})
	}
	clock := session.NewClock(nil, time.Time{})
	membership, err := session.Join(ctx, t, session.JoinConfig{Identity: id, WG: wg, Hostname: "node", Dial: dial, Clock: clock})
	if err != nil {
		return nil, err
	}
	var m member
	if whole {
		m = newWhole(c, membership)
	} else {
		m = newLight(c)
	}
	s := session.New(session.Config{Membership: membership, Identity: id, WG: wg, Dial: dial, Clock: clock, Table: m, Log: slog.New(slog.DiscardHandler)})
	c.gone.Go(func() { s.Run(ctx) })
	return m, nil
}

// patience is how long an edit may take at most.
const patience = time.Minute

// edit puts a document in force and returns how long it took until each node applied it, and how many bytes they were told.
func (c *crowd) edit(ctx context.Context, to *controller, text string) (took []time.Duration, bytes uint64, err error) {
	for _, m := range c.nodes {
		select {
		case <-m.applied():
		default:
		}
	}
	before := c.bytes.Load()
	began := time.Now()
	if err := to.policy(ctx, text); err != nil {
		return nil, 0, err
	}
	limit := time.After(patience)
	for i, m := range c.nodes {
		select {
		case at := <-m.applied():
			took = append(took, at.Sub(began))
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-limit:
			return nil, 0, fmt.Errorf("%d nodes have not heard of the edit after %v", len(c.nodes)-i, patience)
		}
	}
	return took, c.bytes.Load() - before, nil
}

var errNobody = errors.New("nobody applied the first document")

// settle begins with a document.
func (c *crowd) settle(ctx context.Context, to *controller, text string) error {
	if _, _, err := c.edit(ctx, to, text); err != nil {
		return errors.Join(errNobody, err)
	}
	return nil
}
