package hub

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/view"
)

// phone makes a plain device for some machines.
func (s *scene) phone(name string, of ...*machine) store.Plain {
	s.Helper()
	p := store.Plain{Network: s.office.ID, Name: name, WG: key.NewWGPrivate().Public(), Preshared: key.NewPreshared(),
		Endpoint: netip.MustParseAddrPort("192.0.2.9:51820"), Keepalive: 25}
	for _, m := range of {
		p.Nodes = append(p.Nodes, m.node.ID)
	}
	return must[store.Plain](s.T)(s.own.CreatePlain(s.Context(), me, p))
}

// devices are the names of the plain devices in a machine's map.
func (m *machine) devices() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.table.Plains() {
		all = append(all, p.Name)
	}
	for id, why := range m.table.RefusedPlains() {
		all = append(all, fmt.Sprint("!", id, why))
	}
	slices.Sort(all)
	return all
}

func (s *scene) has(m *machine, want ...string) {
	s.Helper()
	if got := m.devices(); !equal(got, want) {
		s.Errorf("%s has %v, want %v", m.name, got, want)
	}
}

func TestAPlainDeviceReachesTheNodesThatWereNamed(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		away := s.machine("away")
		lc := c.dial()
		s.settle()
		before, _ := lc.mapped()
		p := s.phone("phone", a, b)
		later := s.phone("tablet", away, b)
		s.settle()
		s.has(a, "phone")
		s.has(b, "phone", "tablet")
		if n, _ := lc.mapped(); n != before {
			s.Error("a node that was not named was sent something")
		}
		a.mu.Lock()
		got := *a.table.Plain(p.ID)
		a.mu.Unlock()
		if got.Preshared != p.Preshared || got.WG != p.WG || got.Address4 != p.Address4 || got.Endpoint != p.Endpoint || got.Keepalive != 25 {
			s.Errorf("%+v, want %+v", got, p)
		}
		away.dial()
		s.settle()
		s.has(away, "tablet")
		s.ok(s.own.DeletePlain(s.Context(), me, later.ID, 0))
		s.ok(s.own.DeleteNode(s.Context(), me, a.node.ID, 0))
		s.settle()
		s.has(b, "phone")
		s.has(away)
		if l := must[store.Plain](s.T)(s.own.Plain(s.Context(), p.ID)); !slices.Equal(l.Nodes, []ident.Node{b.node.ID}) {
			s.Errorf("%v", l.Nodes)
		}
		s.ok(s.own.DeleteNode(s.Context(), me, b.node.ID, 0))
		s.settle()
	})
}

func TestPlainDevicesSurviveARestart(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b")
		a, b := all[0], all[1]
		gone, stays := s.phone("gone", a, b), s.phone("stays", a)
		must[store.Node](s.T)(s.own.RenameNode(s.Context(), me, a.node.ID, "alpha", 0)) // now the node is newer than its device
		s.settle()
		s.has(a, "gone", "stays")
		s.has(b, "gone")
		b.dial().hangUp()
		s.settle()
		s.ok(s.own.DeletePlain(s.Context(), me, gone.ID, 0))
		s.restarts()
		b.dial()
		la := a.dial()
		s.settle()
		s.has(a, "stays")
		s.has(b)
		if la.got[1].GetMap().GetSnapshot() {
			s.Error("a node that missed nothing got a snapshot")
		}
		s.skew.Add(int64(view.TombstoneLife + time.Hour))
		s.ok(s.own.DeletePlain(s.Context(), me, stays.ID, 0))
		s.settle()
		s.has(a)
	})
}
