package main

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/filter"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// whole is a node that does with its map what every node does: it verifies signatures, keeps the peers, and makes its filter.
type whole struct {
	crowd *crowd
	put   chan time.Time
	mu    sync.Mutex
	table *netmap.Table
	out   netmap.Out
	full  bool // everybody has joined: filters are made from now on
	name  uint64
	set   *filter.Set
}

func newWhole(c *crowd, m session.Membership) *whole {
	return &whole{crowd: c, put: make(chan time.Time, 1), table: netmap.New(netmap.Config{Tenant: m.Tenant, Network: m.Network, Node: m.Node})}
}

func (w *whole) applied() chan time.Time { return w.put }

func (w *whole) knows() (int, netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	self, _ := w.table.Self()
	return w.table.Len(), self.Record.Address4
}

func (w *whole) ready() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full = true
}

// Cursor implements session.Table.
func (w *whole) Cursor() *pb.Cursor {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.table.Begin()
	return w.table.Cursor()
}

// Self implements session.Table.
func (w *whole) Self() ([]byte, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, _ := w.table.Self()
	return s.Bytes, s.Signed
}

// Rules implements session.Table.
func (w *whole) Rules() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.name
}

// Apply implements session.Table.
func (w *whole) Apply(_ context.Context, p *pb.Map) error {
	w.crowd.bytes.Add(uint64(proto.Size(p)))
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.table.Apply(p, &w.out); err != nil || p.More || len(w.out.Events) == 0 {
		return err
	}
	r := w.table.Rules()
	if r.Name == 0 || !w.full {
		return nil
	}
	if err := w.enforce(r.Bytes); err != nil {
		return err
	}
	if r.Name != w.name {
		w.name = r.Name
		note(w.put)
	}
	return nil
}

// enforce makes the filter of the rules and of who is there.
func (w *whole) enforce(rules []byte) error {
	c, err := compile.DecodeCharter(rules, time.LoadLocation)
	if err != nil {
		return err
	}
	self, _ := w.table.Self()
	spec, _ := c.Plan(1, compile.Other{Addrs: []netip.Addr{self.Record.Address4}, User: self.User}, func(yield func(compile.Other) bool) {
		for p := range w.table.Peers() {
			if !yield(compile.Other{Addrs: []netip.Addr{p.Record.Address4}, Class: p.Class, User: p.User}) {
				return
			}
		}
	}).At(time.Now())
	w.set, err = filter.New(spec)
	return err
}

// note replaces what a channel holds.
func note(c chan time.Time) {
	select {
	case <-c:
	default:
	}
	c <- time.Now()
}
