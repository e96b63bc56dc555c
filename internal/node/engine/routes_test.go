package engine

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

var lan, lan6 = netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("fd12::/64")

type problem = session.Problem

// router is a peer that routes prefixes.
func (s *stage) router(o *other, routes ...netip.Prefix) *pb.Peer {
	p := s.peer(o)
	p.Routes = control.AppendRoutes(nil, routes)
	return p
}

// office runs an engine that sees two routers of one network, a and b.
func office(t *testing.T, change ...func(*stage)) (s *stage, a, b *other) {
	s = newStage(t)
	for _, f := range change {
		f(s)
	}
	a, b = s.other(200, "10.9.0.2", "a"), s.other(201, "10.9.0.3", "b")
	m := s.snapshot(a, b)
	m.Upsert = []*pb.Peer{s.router(a, lan, lan6), s.router(b, lan)}
	s.begins(frame(m))
	s.settle()
	return s, a, b
}

func (s *stage) has(o *other) (routed, besides bool) {
	p, _ := s.tunnel.peer(o.wg)
	return slices.Contains(p.Allowed, lan), slices.Contains(p.Besides, lan)
}

// uses fails unless the first is the router in use and the other stands by.
func (s *stage) uses(one, other *other) {
	s.Helper()
	st := s.settle()
	routed, besides := s.has(one)
	routed2, besides2 := s.has(other)
	if !routed || besides || routed2 || !besides2 {
		s.Errorf("%s: routed %v, besides %v; %s: %v, %v", one.name, routed, besides, other.name, routed2, besides2)
	}
	if r := st.Routes[0]; r.Prefix != lan || r.Via != one.node || r.State != RouteInUse || !slices.Equal(r.Standby, []ident.Node{other.node}) {
		s.Errorf("route %+v", r)
	}
}

func TestRoutesAreUsedWhileSomebodyHasThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := office(t)
		s.uses(a, b)
		if got := s.host.up["cvlan0"].Routes; !slices.Equal(got, []netip.Prefix{lan, lan6}) {
			t.Errorf("the host has the routes %v", got)
		}
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(2, 1), Upsert: []*pb.Peer{s.router(a, lan6), s.router(b)}}))
		s.settle()
		if got := s.host.up["cvlan0"].Routes; !slices.Equal(got, []netip.Prefix{lan6}) {
			t.Errorf("after a withdrawal the host has the routes %v", got)
		}
		s.tell(frame(&pb.Map{From: at(2, 1), To: at(3, 1), Remove: []uint64{uint64(a.node)}}))
		if st := s.settle(); len(s.host.up["cvlan0"].Routes) != 0 || len(st.Routes) != 0 {
			t.Errorf("without a router: %v, %v", s.host.up["cvlan0"].Routes, st.Routes)
		}
	})
}

func TestAnotherRouterTakesOverAndKeepsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := office(t)
		s.uses(a, b)
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(1, 2), Soft: []*pb.Soft{soft(a, false)}}))
		s.uses(b, a)
		s.tell(frame(&pb.Map{From: at(1, 2), To: at(1, 3), Soft: []*pb.Soft{soft(a, true)}}))
		s.uses(b, a)
		s.tell(frame(&pb.Map{From: at(1, 3), To: at(2, 3), Remove: []uint64{uint64(b.node)}}))
		if routed, _ := s.has(a); !routed {
			t.Error("the one that is left is not used")
		}
	})
}

func TestRouterThatDoesNotAnswerIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := office(t)
		s.uses(a, b)
		s.tunnel.traffic(a.wg, 10, 10)
		time.Sleep(2 * time.Second)
		s.uses(a, b)
		for i := range uint64(4) { // packets go, none comes
			s.tunnel.traffic(a.wg, 20+i, 10)
			time.Sleep(watchEvery)
		}
		s.uses(b, a)
		time.Sleep(shunFor)
		s.uses(b, a)
	})
}

func TestClashingRouteIsNotSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, _ := office(t, func(s *stage) {
			s.host.routes = []osnet.Clash{{Range: netip.MustParsePrefix("10.20.5.0/24"), On: "eth0"}}
		})
		st := s.settle()
		if st.State != Up || st.Routes[0].State != RouteClash || !strings.Contains(st.Routes[0].Why, "10.20.5.0/24") || st.Routes[1].State != RouteInUse {
			t.Errorf("%v %+v", st.State, st.Routes)
		}
		if !slices.ContainsFunc(st.Warnings, func(p problem) bool { return p.Code == "route-clash" && p.Hint != "" }) {
			t.Errorf("warnings %+v", st.Warnings)
		}
		if routed, _ := s.has(a); routed || !slices.Equal(s.host.up["cvlan0"].Routes, []netip.Prefix{lan6}) {
			t.Errorf("routed %v, the host has %v", routed, s.host.up["cvlan0"].Routes)
		}
		s.host.lan(nil)
		synctest.Wait()
		if st := s.settle(); st.Routes[0].State != RouteInUse || len(s.host.up["cvlan0"].Routes) != 2 {
			t.Errorf("after the clash: %+v", st.Routes)
		}
	})
}

func TestHostThatTakesNoRouteCostsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := office(t, func(s *stage) { s.host.failRoutes = errors.New("no; see: ip route") })
		if st := s.settle(); st.State != Up || st.Routes[0].State != RouteFailed || len(st.Warnings) == 0 {
			t.Errorf("%v %+v %+v", st.State, st.Routes, st.Warnings)
		}
	})
}

func TestSettingsOfRoutesHoldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := office(t)
		s.engine.Amend(Settings{NoRoutes: true})
		if st := s.settle(); st.Routes[0].State != RouteOff || len(s.host.up["cvlan0"].Routes) != 0 {
			t.Errorf("off: %+v", st.Routes)
		}
		s.engine.Amend(Settings{Offers: []netip.Prefix{lan}})
		if st := s.settle(); st.Routes[0].State != RouteOwn || st.Routes[1].State != RouteInUse {
			t.Errorf("own: %+v", st.Routes)
		}
		s.engine.Amend(Settings{})
		if st := s.settle(); st.Routes[0].State != RouteInUse {
			t.Errorf("on: %+v", st.Routes)
		}
	})
}

func TestApprovedOffersAreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.cfg.Offers = []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), lan}
		s.begins(frame(s.snapshot()))
		st := s.settle()
		if len(s.host.forwards.To) != 0 || len(st.Serving.Approved) != 0 || !slices.ContainsFunc(st.Warnings, func(p problem) bool { return p.Code == "route-not-offered" }) {
			t.Errorf("before approval: %+v %+v %+v", s.host.forwards, st.Serving, st.Warnings)
		}
		var offered [][]byte
		for _, f := range s.said() {
			if r := f.GetReport(); r != nil {
				offered = r.Routes
			}
		}
		if got, err := control.ParseRoutes(offered); err != nil || !slices.Equal(got, []netip.Prefix{lan}) {
			t.Errorf("reported %v, %v: what overlaps the network is not offered", got, err)
		}
		self := s.self(false)
		self.Routes = control.AppendRoutes(nil, []netip.Prefix{lan, lan6})
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(2, 1), Self: self}))
		st = s.settle()
		if f := s.host.forwards; !slices.Equal(f.To, []netip.Prefix{lan}) || !f.Masquerade || !slices.Equal(st.Serving.Approved, []netip.Prefix{lan}) {
			t.Errorf("approved: %+v %+v: only what is offered is served", f, st.Serving)
		}
		s.engine.Amend(Settings{Offers: []netip.Prefix{lan}, NoMasquerade: true})
		s.settle()
		if f := s.host.forwards; len(f.To) != 1 || f.Masquerade {
			t.Errorf("snat off: %+v", f)
		}
		s.engine.Amend(Settings{})
		s.settle()
		if f := s.host.forwards; len(f.To) != 0 {
			t.Errorf("withdrawn: %+v", f)
		}
	})
}

func (t *tube) traffic(k key.WGPublic, sent, received uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flows[k] = [2]uint64{sent, received}
}
