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

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/filter"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// crowd is many nodes in one network.
type crowd struct {
	nodes  []*member
	ranges []string // of addresses, one a ring
	bytes  atomic.Uint64
	ready  atomic.Bool // everybody has joined: filters are made from now on
	stop   context.CancelFunc
	gone   sync.WaitGroup
}

// member is a node's session, and what it makes of its map.
type member struct {
	crowd   *crowd
	mu      sync.Mutex
	table   *netmap.Table
	out     netmap.Out
	name    uint64
	set     *filter.Set
	applied chan time.Time // holds one: when rules were put in force last
}

// joining is how many nodes join at a time.
const joining = 32

// gather makes the network, and joins the nodes.
func (c *controller) gather(ctx context.Context, n int) (*crowd, error) {
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
	all := &crowd{stop: stop}
	turns, failed := make(chan struct{}, joining), make(chan error, n)
	var joined sync.WaitGroup
	var mu sync.Mutex
	for range n {
		turns <- struct{}{}
		joined.Go(func() {
			defer func() { <-turns }()
			m, err := all.join(life, t)
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
			m.mu.Lock()
			self, _ := m.table.Self()
			complete = complete && m.table.Len() == n-1
			addrs = append(addrs, self.Record.Address4)
			m.mu.Unlock()
		}
		if complete {
			c.ready.Store(true)
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

func (c *crowd) join(ctx context.Context, t ticket.Ticket) (*member, error) {
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
	m := &member{crowd: c, applied: make(chan time.Time, 1)}
	m.table = netmap.New(netmap.Config{Tenant: membership.Tenant, Network: membership.Network, Node: membership.Node,
		Verify: func(key.IdentityPublic, []byte, []byte) bool { return true }}) // hundreds of nodes on one machine: each has cores of its own elsewhere
	s := session.New(session.Config{Membership: membership, Identity: id, WG: wg, Dial: dial, Clock: clock, Table: m, Log: slog.New(slog.DiscardHandler)})
	c.gone.Go(func() { s.Run(ctx) })
	return m, nil
}

// Cursor implements session.Table.
func (m *member) Cursor() *pb.Cursor {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.table.Begin()
	return m.table.Cursor()
}

// Self implements session.Table.
func (m *member) Self() ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, _ := m.table.Self()
	return s.Bytes, s.Signed
}

// Rules implements session.Table.
func (m *member) Rules() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.name
}

// Apply implements session.Table: it makes the filter as a node does.
func (m *member) Apply(_ context.Context, p *pb.Map) error {
	m.crowd.bytes.Add(uint64(proto.Size(p)))
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.table.Apply(p, &m.out); err != nil || p.More || len(m.out.Events) == 0 {
		return err
	}
	r := m.table.Rules()
	if r.Name == 0 || !m.crowd.ready.Load() {
		return nil
	}
	c, err := compile.DecodeCharter(r.Bytes, time.LoadLocation)
	if err != nil {
		return err
	}
	self, _ := m.table.Self()
	spec, _ := c.Plan(1, self.User, []netip.Addr{self.Record.Address4}, func(yield func(compile.Other) bool) {
		for p := range m.table.Peers() {
			if !yield(compile.Other{Addrs: []netip.Addr{p.Record.Address4}, Class: p.Class, User: p.User}) {
				return
			}
		}
	}).At(time.Now())
	if m.set, err = filter.New(spec); err != nil {
		return err
	}
	if r.Name != m.name {
		m.name = r.Name
		select {
		case <-m.applied:
		default:
		}
		m.applied <- time.Now()
	}
	return nil
}

// patience is how long an edit may take at most.
const patience = time.Minute

// edit puts a document in force and returns how long it took until each node applied it, and how many bytes they were told.
func (c *crowd) edit(ctx context.Context, to *controller, text string) (took []time.Duration, bytes uint64, err error) {
	for _, m := range c.nodes {
		select {
		case <-m.applied:
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
		case at := <-m.applied:
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
