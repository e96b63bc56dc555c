package view

import (
	"testing"

	"github.com/cvlan/cvlan/proto/control"
)

func worth(name string) control.Authorities {
	return control.Authorities{Signing: control.AuthorityOf([]byte(name))}
}

// Also who sees no peers must renew its certificate: it is told of authorities like everybody.
func TestWhatAuthoritiesAreWorthIsToldToEverybody(t *testing.T) {
	s := newStage(t, Config{})
	s.network(lab, false)
	s.node(1)
	s.node(2, pending)
	s.node(3, inLab)
	all := []*reader{s.reader(1), s.reader(2), s.reader(3)}
	for _, r := range all {
		if m := r.read(); m.Authorities != nil {
			t.Fatalf("before anything is known: %v", m)
		}
	}
	if c := s.view.SetAuthorities(worth("new")); s.told(c) != "1 2 3" {
		t.Fatalf("told to %q", s.told(c))
	}
	for _, r := range all {
		if m := r.read(); m.Snapshot || m.Authorities == nil {
			t.Fatalf("%v", m)
		}
	}
	if c := s.view.SetAuthorities(worth("new")); !c.IsZero() || all[0].session.Next() != nil || all[1].session.Next() != nil {
		t.Fatal("the same is told again")
	}
	s.node(4)
	if m := s.reader(4).read(); !m.Snapshot || m.Authorities == nil {
		t.Fatalf("a newcomer: %v", m)
	}
}

func TestAResumeBringsAuthoritiesOnlyIfTheyMayDiffer(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.view.SetAuthorities(worth("old"))
	r := s.reader(1)
	r.read()
	r.resume(1)
	if m := r.read(); m.Authorities != nil {
		t.Fatalf("the same boot: %v", m)
	}
	s.view.SetAuthorities(worth("new")) // while the node is away
	r.resume(1)
	if m := r.read(); m.Snapshot || m.Authorities == nil {
		t.Fatalf("changed meanwhile: %v", m)
	}
}
