package view

import (
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

func relaysNamed(names ...string) (all []control.Relay) {
	for i, n := range names {
		all = append(all, control.Relay{ID: ident.Relay(1 + i), Name: n, Addresses: []string{"192.0.2.9:8443"}})
	}
	return all
}

func TestRelaysAreToldToThoseWhoSeePeers(t *testing.T) {
	s := newStage(t, Config{})
	s.network(lab, false)
	s.node(1)
	s.node(2, pending)
	s.node(3, inLab)
	one, two := s.reader(1), s.reader(2)
	one.read()
	two.read()
	if c := s.view.SetRelays(relaysNamed("fra", "sfo")); s.told(c) != "1" {
		t.Fatalf("told to %q", s.told(c))
	}
	if m := one.read(); len(m.GetRelays().GetRelays()) != 2 {
		t.Fatalf("%v", m)
	}
	if c := s.view.SetRelays(relaysNamed("fra", "sfo")); !c.IsZero() || one.session.Next() != nil || two.session.Next() != nil {
		t.Fatal("the same list is told again, or to one who sees nobody")
	}
	s.node(2)
	if m := two.read(); !m.Snapshot || len(m.GetRelays().GetRelays()) != 2 {
		t.Fatalf("a newcomer: %v", m)
	}
}

func TestAResumeBringsRelaysOnlyIfTheyMayDiffer(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.view.SetRelays(relaysNamed("fra"))
	r := s.reader(1)
	r.read()
	r.resume(1)
	if m := r.read(); m.Relays != nil {
		t.Fatalf("the same boot: %v", m)
	}
	next := &stage{t: t, view: New(Config{Epoch: 1, Boot: 9, Hard: s.hard})}
	next.network(office, true)
	next.node(1)
	r.stage = next
	r.resume(1)
	if m := r.read(); m.Snapshot || m.Relays == nil || len(m.Relays.Relays) != 0 {
		t.Fatalf("after a restart without relays: %v", m)
	}
}
