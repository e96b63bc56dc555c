package hub

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestASessionBeginsWithAProperHello(t *testing.T) {
	change := func(f func(*pb.Hello)) func(*machine) *pb.Frame {
		return func(m *machine) *pb.Frame {
			h := m.hello()
			f(h)
			return &pb.Frame{Body: &pb.Frame_Hello{Hello: h}}
		}
	}
	for name, c := range map[string]struct {
		first func(*machine) *pb.Frame
		want  pb.GoawayReason
	}{
		"another frame": {func(*machine) *pb.Frame { return &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{}}} },
			pb.GoawayReason_GOAWAY_REASON_PROTOCOL},
		"too new":         {change(func(h *pb.Hello) { h.VersionMin, h.VersionMax = 2, 3 }), pb.GoawayReason_GOAWAY_REASON_VERSION},
		"too old":         {change(func(h *pb.Hello) { h.VersionMin, h.VersionMax = 0, 0 }), pb.GoawayReason_GOAWAY_REASON_VERSION},
		"no instance":     {change(func(h *pb.Hello) { h.InstanceId = nil }), pb.GoawayReason_GOAWAY_REASON_PROTOCOL},
		"a long instance": {change(func(h *pb.Hello) { h.InstanceId = make([]byte, 60_000) }), pb.GoawayReason_GOAWAY_REASON_PROTOCOL},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(s *scene) {
				m := s.machine("m")
				l := m.dialWith(c.first(m))
				s.settle()
				if g := s.told(l, c.want); g.RetryAfterMs == 0 {
					s.Error("it may come back at once")
				}
			})
		})
	}
}

func TestANewerNodeSpeaksTheVersionThatIsCommon(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		h := m.hello()
		h.VersionMax = 9
		l := m.dialWith(&pb.Frame{Body: &pb.Frame_Hello{Hello: h}})
		s.settle()
		if v := l.got[0].GetWelcome().GetVersion(); v != control.Version {
			s.Errorf("version %d", v)
		}
		s.lives(l)
	})
}

func TestWhoSaysNothingIsCutOff(t *testing.T) {
	play(t, func(s *scene) {
		l := s.machine("m").dialWith(nil)
		<-l.closed
		if d := l.lasted(); d < helloPatience || d > helloPatience+2*time.Second {
			s.Errorf("silence was borne for %v, want %v", d, helloPatience)
		}
	})
}

func TestAFrameTooLongEndsTheSession(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		h := m.hello()
		h.Report = &pb.Report{Endpoints: [][]byte{make([]byte, control.MaxPiece)}}
		l := m.dialWith(&pb.Frame{Body: &pb.Frame_Hello{Hello: h}})
		s.settle()
		if !l.isClosed() || l.last() != nil {
			s.Errorf("closed %v, last frame %v", l.isClosed(), l.last())
		}
	})
}

func TestANodeOfATenantThatARestoreHasLostIsRemoved(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		s.tenant = ident.New[ident.Tenant]()
		l := m.dial()
		s.settle()
		s.told(l, pb.GoawayReason_GOAWAY_REASON_REMOVED)
		if n := len(s.hub.all()); n != 1 {
			s.Errorf("the hub keeps %d tenants, want 1: what does not exist takes no room", n)
		}
	})
}
