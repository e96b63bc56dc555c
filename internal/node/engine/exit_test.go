package engine

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// abroad runs an engine that sees an exit, a, of both families, and one of IPv4 alone, b.
func abroad(t *testing.T) (s *stage, a, b *other) {
	s = newStage(t)
	a, b = s.other(200, "10.9.0.2", "a"), s.other(201, "10.9.0.3", "b")
	m := s.snapshot(a, b)
	m.Upsert = []*pb.Peer{s.router(a, everything4, everything6), s.router(b, everything4)}
	s.begins(frame(m))
	s.settle()
	return s, a, b
}

// takes fails unless the tunnel has what is public go to a peer, or not.
func (s *stage) takes(o *other, want bool) {
	s.Helper()
	p, _ := s.tunnel.peer(o.wg)
	public := netip.MustParsePrefix("1.0.0.0/8")
	if got := slices.Contains(p.Allowed, public); got != want || slices.Contains(p.Besides, public) || slices.Contains(p.Allowed, everything4) {
		s.Errorf("%s has %v, besides %v", o.name, p.Allowed, p.Besides)
	}
}

func TestNobodyIsAnExitUnlessAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := abroad(t)
		st := s.settle()
		if x := s.host.up["cvlan0"].Exit; x != nil || st.Exit != (Exit{}) || len(st.Ways) != 2 || len(st.Routes) != 0 {
			t.Errorf("the host has the exit %+v; %+v %+v %+v", x, st.Exit, st.Ways, st.Routes)
		}
		s.takes(a, false)
		s.takes(b, false)
	})
}

func TestAnExitIsUsedAsLongAsItIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := abroad(t)
		s.engine.Amend(Settings{Exit: "a", ExitLAN: true})
		st := s.settle()
		if x := s.host.up["cvlan0"].Exit; x == nil || x.IPv6 != st.Self.Record.Address6.IsValid() || !x.LAN || st.Exit.State != ExitInUse || st.Exit.Node != a.node {
			t.Errorf("a: %+v, %+v", x, st.Exit)
		}
		s.takes(a, true)
		s.takes(b, false)
		s.engine.Amend(Settings{Exit: "b"})
		st = s.settle()
		if x := s.host.up["cvlan0"].Exit; x == nil || x.IPv6 || x.LAN || st.Exit.Node != b.node || len(s.host.up["cvlan0"].Routes) != 0 {
			t.Errorf("b: %+v, %+v", x, st.Exit)
		}
		s.takes(a, false)
		s.takes(b, true)
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(2, 1), Remove: []uint64{uint64(b.node)}}))
		st = s.settle()
		if x := s.host.up["cvlan0"].Exit; x == nil || st.Exit.State != ExitNone || !warned(st, "exit-unknown") {
			t.Errorf("without b: %+v, %+v, %+v", x, st.Exit, st.Warnings)
		}
		s.engine.Amend(Settings{})
		if st = s.settle(); s.host.up["cvlan0"].Exit != nil || st.Exit.Name != "" || warned(st, "exit-unknown") {
			t.Errorf("off: %+v, %+v", s.host.up["cvlan0"].Exit, st.Exit)
		}
	})
}

func warned(st Status, code string) bool {
	return slices.ContainsFunc(st.Warnings, func(p problem) bool { return p.Code == code && p.Hint != "" })
}

func TestNothingLeavesBesideAnExitThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, _ := abroad(t)
		s.engine.Amend(Settings{Exit: "a"})
		s.settle()
		for i := range uint64(4) { // packets go, none comes
			s.tunnel.traffic(a.wg, 20+i, 10)
			time.Sleep(watchEvery)
		}
		if st := s.settle(); st.Exit.State != ExitAway || !warned(st, "exit-away") || s.host.up["cvlan0"].Exit == nil {
			t.Errorf("silent: %+v, %+v", st.Exit, s.host.up["cvlan0"])
		}
		s.takes(a, true)
		s.tunnel.traffic(a.wg, 30, 11)
		time.Sleep(watchEvery)
		if st := s.settle(); st.Exit.State != ExitInUse || warned(st, "exit-away") {
			t.Errorf("heard again: %+v", st.Exit)
		}
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(1, 2), Soft: []*pb.Soft{soft(a, false)}}))
		if st := s.settle(); st.Exit.State != ExitAway || s.host.up["cvlan0"].Exit == nil {
			t.Errorf("offline: %+v, %+v", st.Exit, s.host.up["cvlan0"])
		}
		s.tell(frame(&pb.Map{From: at(1, 2), To: at(1, 3), Soft: []*pb.Soft{soft(a, true)}}))
		if st := s.settle(); st.Exit.State != ExitInUse {
			t.Errorf("back: %+v", st.Exit)
		}
	})
}

func TestHostThatHasNoExitSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := abroad(t)
		s.host.mu.Lock()
		s.host.failExit = errors.New("no rules; see: ip rule")
		s.host.mu.Unlock()
		s.engine.Amend(Settings{Exit: "a"})
		if st := s.settle(); st.State != Up || st.Exit.State != ExitFailed || !warned(st, "exit-not-set") {
			t.Errorf("%v %+v %+v", st.State, st.Exit, st.Warnings)
		}
	})
}

func TestAnExitIsOfferedWhereThereIsAWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.cfg.Offers = []netip.Prefix{everything4, everything6}
		s.host.alone = true
		s.begins(frame(s.snapshot()))
		if st := s.settle(); len(st.Serving.Nowhere) != 2 {
			t.Errorf("a machine on its own: %+v", st.Serving)
		}
		s.host.mu.Lock()
		s.host.alone = false
		s.host.mu.Unlock()
		s.host.lan(nil)
		synctest.Wait()
		if st := s.settle(); len(st.Serving.Nowhere) != 0 {
			t.Errorf("after it has found a way: %+v", st.Serving)
		}
		time.Sleep(time.Second) // reports keep their distance
		var offered [][]byte
		for _, f := range s.said() {
			if r := f.GetReport(); r != nil {
				offered = r.Routes
			}
		}
		if got, err := control.ParseRoutes(offered); err != nil || !slices.Equal(got, []netip.Prefix{everything4, everything6}) {
			t.Errorf("reported %v, %v", got, err)
		}
		self := s.self(false)
		self.Routes = control.AppendRoutes(nil, []netip.Prefix{everything4, everything6})
		s.tell(frame(&pb.Map{From: at(1, 1), To: at(2, 1), Self: self}))
		if st := s.settle(); !slices.Equal(s.host.forwards.To, []netip.Prefix{everything4, everything6}) || len(st.Serving.Approved) != 2 {
			t.Errorf("approved: %+v, %+v", s.host.forwards, st.Serving)
		}
	})
}
