package hub

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
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

const openRules = `"tagOwners": {"tag:gate": []}, "acls": [{"src": ["*"], "dst": ["*:*"]}]`

func TestThePolicyApprovesWhatWaitsAndEndsOnlyWhatItHasApproved(t *testing.T) {
	play(t, func(s *scene) {
		s.user("ann@a.org")
		gate, other, pc := s.here("gate", tagged("tag:gate")), s.here("other", owned("ann@a.org")), s.here("pc")
		closed := `{"groups": {"group:net": ["ann@a.org"]}, ` + openRules + "}"
		open := strings.TrimSuffix(closed, "}") + `, "autoApprovers": {"routes": {"172.16.0.0/12": ["tag:gate", "group:net"]}}}`
		s.policy(closed)
		must[store.Node](t)(s.own.ApproveRoutes(s.Context(), me, gate.node.ID, store.Approval{Approve: prefixes("172.20.0.0/16")}, 0))
		l := gate.dial()
		s.settle()
		l.offers("172.20.0.0/16", "172.21.0.0/16", "172.22.0.0/16")
		must[store.Node](t)(s.own.ApproveRoutes(s.Context(), me, gate.node.ID, store.Approval{Revoke: prefixes("172.22.0.0/16")}, 0))
		other.dial().offers("172.23.0.0/16")
		s.settle()
		s.routed(gate, pc, "172.20.0.0/16")
		s.routed(other, pc)

		s.policy(open)
		s.routed(gate, pc, "172.20.0.0/16", "172.21.0.0/16")
		s.routed(other, pc, "172.23.0.0/16")

		s.policy(closed)
		s.routed(gate, pc, "172.20.0.0/16")
		s.routed(other, pc)
	})
}

func TestTagsAndGroupsDecideWhatThePolicyApproves(t *testing.T) {
	play(t, func(s *scene) {
		s.user("ann@a.org")
		gate, other, pc := s.here("gate", owned("ann@a.org")), s.here("other"), s.here("pc")
		must[store.Group](t)(s.own.CreateGroup(s.Context(), me, "group:net"))
		s.policy("{" + openRules + `, "autoApprovers": {"routes": {"172.16.0.0/12": ["tag:gate"], "192.168.0.0/16": ["group:net"]}}}`)
		gate.dial().offers("172.20.0.0/16", "192.168.1.0/24")
		other.dial().offers("172.23.0.0/16")
		s.routed(gate, pc)
		s.user("ann@a.org", "group:net")
		s.routed(gate, pc, "192.168.1.0/24")
		must[store.Node](t)(s.own.SetNodeTags(s.Context(), me, other.node.ID, []string{"tag:gate"}, 0))
		s.settle()
		s.routed(other, pc, "172.23.0.0/16")
		must[store.Node](t)(s.own.SetNodeTags(s.Context(), me, other.node.ID, nil, 0))
		s.user("ann@a.org")
		s.routed(other, pc)
		s.routed(gate, pc)
	})
}

func TestAPolicyThatCameBeforeARestartApprovesAfterIt(t *testing.T) {
	play(t, func(s *scene) {
		gate, pc := s.here("gate", tagged("tag:gate")), s.here("pc")
		gate.dial().offers("172.20.0.0/16")
		s.ends()
		must[store.Policy](t)(s.own.PutPolicy(s.Context(), s.office.ID, []byte("{"+openRules+`, "autoApprovers": {"routes": {"172.16.0.0/12": ["tag:gate"]}}}`), me, "", ""))
		s.begins(s.db)
		pc.dial()
		s.settle()
		if n := s.current(gate); !slices.Equal(n.Granted, prefixes("172.20.0.0/16")) {
			t.Errorf("approved: %v", n.Granted)
		}
		if got := pc.forwards(gate); !slices.Equal(got, prefixes("172.20.0.0/16")) {
			t.Errorf("told: %v", got)
		}
		version := s.current(gate).Version
		s.restarts()
		s.settle()
		if s.current(gate).Version != version {
			t.Error("a restart is news")
		}
	})
}

// locked is a store that takes no grants while it is shut.
type locked struct {
	store.Store
	shut atomic.Bool
}

func (l *locked) For(id ident.Tenant) store.Handle { return lockedHandle{l.Store.For(id), l} }

type lockedHandle struct {
	store.Handle
	of *locked
}

func (h lockedHandle) GrantRoutes(ctx context.Context, id ident.Node, granted []netip.Prefix) (store.Node, error) {
	if h.of.shut.Load() {
		return store.Node{}, store.ErrLimit
	}
	return h.Handle.GrantRoutes(ctx, id, granted)
}

func TestWhatCouldNotBeApprovedIsApprovedLater(t *testing.T) {
	play(t, func(s *scene) {
		s.ends()
		l := &locked{Store: s.db}
		s.begins(l)
		gate, pc := s.here("gate", tagged("tag:gate")), s.here("pc")
		gate.dial().offers("172.20.0.0/16")
		l.shut.Store(true)
		s.policy("{" + openRules + `, "autoApprovers": {"routes": {"172.16.0.0/12": ["tag:gate"]}}}`)
		s.routed(gate, pc)
		l.shut.Store(false)
		time.Sleep(upkeepEvery)
		s.settle()
		s.routed(gate, pc, "172.20.0.0/16")
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
	p := &filter.Packet{Src: filter.AddressOf(src), Dst: filter.AddressOf(dst), Proto: uint8(service >> 16), DstPort: uint16(service)}
	if in {
		return set.In(p, false)
	}
	return set.Out(p, false)
}
