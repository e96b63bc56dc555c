package hub

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// yard is a list of relays that changes.
type yard struct {
	mu  sync.Mutex
	all []control.Relay
}

func (y *yard) list(ident.Tenant) []control.Relay {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.all
}

func (y *yard) set(names ...string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.all = nil
	for i, n := range names {
		y.all = append(y.all, control.Relay{ID: ident.Relay(i + 1), Name: n, Addresses: []string{"192.0.2.9:8443"}})
	}
}

func (m *machine) relays() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for r := range m.table.Relays() {
		names = append(names, r.Name)
	}
	return names
}

func TestNodesHearOfRelaysAndOfEachOthersHome(t *testing.T) {
	var y yard
	var gone []ident.Node
	play(t, func(s *scene) {
		s.ends()
		s.config.Relays = y.list
		s.config.Removed = func(_ ident.Tenant, n ident.Node, until time.Time) {
			if until.Before(s.now().Add(60 * 24 * time.Hour)) {
				s.Errorf("remembered only until %v", until)
			}
			gone = append(gone, n)
		}
		y.set("fra")
		s.begins(s.db)
		all := s.machines("a", "b")
		a, b := all[0], all[1]
		if !slices.Equal(a.relays(), []string{"fra"}) {
			s.Fatalf("%v", a.relays())
		}
		r := report(7)
		r.Kinds, r.HomeRelay = []byte{3}, 1
		la := a.line
		la.say(&pb.Frame{Body: &pb.Frame_Report{Report: r}})
		y.set("fra", "sfo")
		s.hub.RelaysChanged()
		s.settle()
		if p := b.peer(a); !slices.Equal(b.relays(), []string{"fra", "sfo"}) || p.Soft.HomeRelay != 1 || p.Soft.Kinds != "\x03" {
			s.Errorf("%v %+v", b.relays(), p.Soft)
		}
		la.hangUp()
		s.settle()
		if p := b.peer(a); p.Soft.Online || p.Soft.HomeRelay != 1 {
			s.Errorf("%+v: where it was is where it most likely still is", p.Soft)
		}
		s.ok(s.own.DeleteNode(s.Context(), me, a.node.ID, 0))
		if len(gone) != 1 || gone[0] != a.node.ID {
			s.Errorf("relays hear of %v", gone)
		}
		s.restarts()
		b.dial()
		s.settle()
		if !slices.Equal(b.relays(), []string{"fra", "sfo"}) {
			s.Errorf("after a restart: %v", b.relays())
		}
	})
}

// punched are the starts that a line has been told, with whom.
func (l *line) punched() (peers []ident.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.got {
		if p := f.GetPunch(); p != nil {
			peers = append(peers, ident.Node(p.Peer))
		}
	}
	return peers
}

func (l *line) punch(m *machine) {
	l.say(&pb.Frame{Body: &pb.Frame_Punch{Punch: &pb.Punch{Peer: uint64(m.node.ID), Generation: 5}}})
}

func TestAPunchReachesBothAtOnce(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b", "c", "d", "e", "f", "g")
		a, b := all[0], all[1]
		stranger := s.machine("stranger")
		a.line.punch(b)
		b.line.punch(a) // both had the same thought
		a.line.punch(stranger)
		a.line.punch(a)
		s.settle()
		if x, y := a.line.punched(), b.line.punched(); !slices.Equal(x, []ident.Node{b.node.ID}) || !slices.Equal(y, []ident.Node{a.node.ID}) {
			s.Fatalf("%v %v", x, y)
		}
		time.Sleep(5 * time.Second)
		for _, m := range all[1:] {
			a.line.punch(m)
			a.line.punch(m)
		}
		s.settle()
		if n := len(a.line.punched()); n != 6 {
			s.Errorf("%d starts, want the first, and five of six that were asked for at once", n)
		}
	})
}
