package hub

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/policy/filter"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func prefixes(list ...string) (all []netip.Prefix) {
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// offers reports what the machine forwards to.
func (l *line) offers(routes ...string) {
	r := report(1)
	r.Routes = control.AppendRoutes(nil, prefixes(routes...))
	l.say(&pb.Frame{Body: &pb.Frame_Report{Report: r}})
	l.m.s.settle()
}

// forwards reports what a machine has been told that is reached through another, or through itself.
func (m *machine) forwards(by *machine) (routes []netip.Prefix) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if by == m {
		self, _ := m.table.Self()
		return self.Routes
	}
	if p := m.table.Peer(by.node.ID); p != nil {
		routes = p.Routes()
	}
	return routes
}

func (s *scene) routed(by *machine, to *machine, want ...string) {
	s.Helper()
	for _, m := range []*machine{by, to} {
		if got := m.forwards(by); !slices.Equal(got, prefixes(want...)) {
			s.Errorf("%s knows of routes %v through %s, want %v", m.name, got, by.name, want)
		}
	}
}

func TestRoutesAreToldWhenTheyAreOfferedAndApproved(t *testing.T) {
	play(t, func(s *scene) {
		gate, pc := s.machine("gate"), s.machine("pc")
		pc.dial()
		l := gate.dial()
		s.settle()
		l.offers("192.168.9.0/24", "172.16.0.0/12", "127.0.0.0/8")
		s.routed(gate, pc)
		if n := s.current(gate); !slices.Equal(n.Offered, prefixes("172.16.0.0/12", "192.168.9.0/24")) {
			t.Errorf("stored: %v", n.Offered)
		}
		must[store.Node](t)(s.own.ApproveRoutes(s.Context(), me, gate.node.ID, store.Approval{Approve: prefixes("192.168.9.0/24")}, 0))
		s.settle()
		s.routed(gate, pc, "192.168.9.0/24")
		version := s.current(gate).Version
		l.reports(1) // an offer that is not said again is withdrawn
		s.settle()
		s.routed(gate, pc)
		l.offers("192.168.9.0/24")
		s.routed(gate, pc, "192.168.9.0/24")
		l.offers("192.168.9.0/24")
		if v := s.current(gate).Version; v != version+2 {
			t.Errorf("version %d after two changes to %d", v, version)
		}
		s.restarts()
		pc.dial()
		s.settle()
		s.routed(gate, pc, "192.168.9.0/24")
		must[store.Node](t)(s.own.ApproveRoutes(s.Context(), me, gate.node.ID, store.Approval{Revoke: prefixes("192.168.9.0/24")}, 0))
		s.settle()
		if got := pc.forwards(gate); len(got) != 0 {
			t.Errorf("revoked, and yet %v", got)
		}
	})
}

func TestThePolicyApprovesRoutes(t *testing.T) {
	play(t, func(s *scene) {
		s.user("ann@a.org")
		gate, exit, pc := s.here("gate", tagged("tag:gate")), s.here("exit", owned("ann@a.org")), s.here("pc")
		s.policy(`{"tagOwners": {"tag:gate": []}, "acls": [{"src": ["*"], "dst": ["*:*"]}],
			"autoApprovers": {"routes": {"172.16.0.0/12": ["tag:gate"]}, "exitNode": ["ann@a.org"]}}`)
		gate.dial().offers("172.20.0.0/16", "192.168.9.0/24", "0.0.0.0/0")
		s.routed(gate, pc, "172.20.0.0/16")
		exit.dial().offers("172.20.0.0/16", "0.0.0.0/0", "::/0")
		s.routed(exit, pc, "0.0.0.0/0", "::/0")
	})
}

func TestRulesNameAddressesBehindRouters(t *testing.T) {
	play(t, func(s *scene) {
		gate, pc, other := s.here("gate", tagged("tag:gate")), s.here("pc", tagged("tag:pc")), s.here("other")
		s.policy(`{"tagOwners": {"tag:gate": [], "tag:pc": []}, "acls": [{"src": ["tag:pc"], "dst": ["172.20.5.0/24:443"]}]}`)
		s.sees(pc)
		must[store.Node](t)(s.own.ApproveRoutes(s.Context(), me, gate.node.ID, store.Approval{Approve: prefixes("172.20.0.0/16")}, 0))
		l := gate.dial()
		l.offers("172.20.0.0/16")
		s.routed(gate, pc, "172.20.0.0/16")
		s.sees(other) // no rule lets it reach what is behind the router
		for dst, want := range map[string][2]filter.Reason{
			"172.20.5.9": {filter.Allowed, filter.NoRule}, "172.20.6.9": {filter.NoRule, filter.NoRule}, "172.21.0.1": {filter.UnknownDestination, filter.UnknownDestination},
		} {
			for i, service := range []uint32{https, ssh} {
				if got := s.reaches(pc, pc.node.Address4, netip.MustParseAddr(dst), service, false); got != want[i] {
					t.Errorf("%s to service %x: %v, want %v", dst, service, got, want[i])
				}
				if got := s.reaches(gate, pc.node.Address4, netip.MustParseAddr(dst), service, true); got != want[i] {
					t.Errorf("the router about %s to service %x: %v, want %v", dst, service, got, want[i])
				}
			}
		}
		if got := s.may(pc, gate, https); got != filter.NoRule {
			t.Errorf("to the router itself: %v", got)
		}
		must[store.Node](t)(s.own.SuspendNode(s.Context(), me, gate.node.ID, 0))
		s.settle()
		s.sees(pc)
	})
}

// reaches asks a machine's filter about a packet that comes in, or goes out.
func (s *scene) reaches(m *machine, src, dst netip.Addr, service uint32, in bool) filter.Reason {
	s.Helper()
	set := s.filter(m)
	p := &filter.Packet{Src: src, Dst: dst, Proto: uint8(service >> 16), DstPort: uint16(service)}
	if in {
		return set.In(p, false)
	}
	return set.Out(p, false)
}
