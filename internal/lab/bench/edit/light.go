package main

import (
	"context"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// light is a node's session alone: it receives its map to the last byte, takes the messages apart and says which rules it has. What a
// node does with the map costs the node's machine, not the controller's, and hundreds of nodes share one machine here.
type light struct {
	crowd *crowd
	put   chan time.Time
	mu    sync.Mutex
	at    *pb.Cursor
	self  []byte
	shown bool // signed
	addr  netip.Addr
	seen  map[uint64]bool // whom it has heard of; nil once everybody has joined
	next  uint64          // the rules of which the last piece has not come
	name  uint64
}

func newLight(c *crowd) *light {
	return &light{crowd: c, put: make(chan time.Time, 1), seen: map[uint64]bool{}}
}

func (l *light) applied() chan time.Time { return l.put }

func (l *light) knows() (int, netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen), l.addr
}

func (l *light) ready() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = nil
}

// Cursor implements session.Table.
func (l *light) Cursor() *pb.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

// Self implements session.Table.
func (l *light) Self() ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.self, l.shown
}

// Rules implements session.Table.
func (l *light) Rules() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

// Apply implements session.Table.
func (l *light) Apply(_ context.Context, p *pb.Map) error {
	l.crowd.bytes.Add(uint64(proto.Size(p)))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.own(p.Self); err != nil {
		return err
	}
	l.count(p)
	if p.RulesName != 0 {
		l.next = p.RulesName
	}
	if p.More {
		return nil
	}
	if l.at = p.To; l.next != l.name {
		l.name = l.next
		note(l.put)
	}
	return nil
}

func (l *light) own(p *pb.Self) error {
	if p == nil {
		return nil
	}
	r, err := control.ParseRecord(p.Record)
	l.self, l.shown, l.addr = p.Record, len(p.Signature) > 0, r.Address4
	return err
}

// count notes who is there while nodes join: a record begins with its node's number.
func (l *light) count(p *pb.Map) {
	if l.seen == nil {
		return
	}
	for _, u := range p.Upsert {
		if l.self == nil || string(u.Record[:9]) != string(l.self[:9]) {
			l.seen[binary.LittleEndian.Uint64(u.Record[1:9])] = true
		}
	}
}
