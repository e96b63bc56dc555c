package hub

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestAReconnectTakesOverAtOnce(t *testing.T) {
	play(t, func(s *scene) {
		watcher, m := s.machine("watcher"), s.machine("m")
		watcher.dial()
		var v *valve
		m.wrap = func(st stream.Stream) stream.Stream { v = newValve(st); return v }
		m.mute = true // its old line is dead
		old := m.dial()
		s.settle()
		v.shut()
		m.wrap, m.mute = nil, false
		l := m.dial()
		synctest.Wait() // and no time passes
		if n, _ := l.mapped(); n == 0 {
			s.Error("a reconnect waits for the line that it replaces")
		}
		s.sees(watcher, "m+")
		<-old.served
		s.settle()
		s.lives(l)
		s.sees(watcher, "m+")
		if d := old.lasted(); d > 3*time.Second {
			s.Errorf("the old session ended after %v", d)
		}
	})
}

func TestAReplacedSessionIsToldSo(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		old := m.dial()
		s.settle()
		m.dial()
		s.settle()
		s.told(old, pb.GoawayReason_GOAWAY_REASON_REPLACED)
	})
}

func TestACloneIsRefusedWhileTheFirstAnswers(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		first := m.dial()
		s.settle()
		l := m.clone().dial()
		s.settle()
		g := s.told(l, pb.GoawayReason_GOAWAY_REASON_CLONED)
		if g.Hint == "" {
			s.Error("a clone is not told what to do")
		}
		if n, _ := l.mapped(); n != 0 {
			s.Error("a clone has got the map")
		}
		s.lives(first)
	})
}

func TestASilentSessionIsReplacedAfterTwoSeconds(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		m.mute = true
		old := m.dial()
		s.settle()
		m.mute = false
		m.reboot()
		l := m.dial()
		time.Sleep(clonePatience - time.Millisecond)
		synctest.Wait()
		s.lives(old)
		if n, _ := l.mapped(); n != 0 {
			s.Error("the newcomer was let in before the first had its time to answer")
		}
		s.settle()
		s.told(old, pb.GoawayReason_GOAWAY_REASON_REPLACED)
		s.lives(l)
		if n, _ := l.mapped(); n == 0 {
			s.Error("the newcomer has no map")
		}
	})
}

// The pongs of a crowd must not get into each other's way: one lost would cost the first its place.
func TestACrowdOfClonesDoesNotDriveTheFirstOut(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		m.thinks = time.Second
		first := m.dial()
		s.settle()
		var clones []*line
		for range 20 {
			clones = append(clones, m.clone().dial())
		}
		time.Sleep(3 * clonePatience)
		for _, c := range clones {
			s.told(c, pb.GoawayReason_GOAWAY_REASON_CLONED)
		}
		s.lives(first)
		pings := 0
		for _, f := range first.got {
			if f.GetPing() != nil {
				pings++
			}
		}
		if pings != 1 {
			s.Errorf("the first was asked %d times, want one question for all", pings)
		}
	})
}

func TestOfTwoNewcomersOneTakesTheSilentOnesPlace(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		m.mute = true
		old := m.dial()
		s.settle()
		m.mute = false
		x, y := m.clone().dial(), m.clone().dial()
		time.Sleep(3 * clonePatience)
		s.settle()
		s.told(old, pb.GoawayReason_GOAWAY_REASON_REPLACED)
		if x.isClosed() == y.isClosed() {
			s.Fatalf("closed: %v and %v; want one to live", x.isClosed(), y.isClosed())
		}
		if y.isClosed() {
			x, y = y, x
		}
		s.told(x, pb.GoawayReason_GOAWAY_REASON_CLONED)
		s.lives(y)
		if n := s.hub.Sessions(); n != 1 {
			s.Errorf("%d sessions", n)
		}
	})
}

func TestNothingIsSaidBeforeWelcome(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		var v *valve
		m.wrap = func(st stream.Stream) stream.Stream { v = newValve(st); v.holdFirst(); return v }
		first := m.dial() // its Welcome is stuck
		synctest.Wait()
		m.wrap = nil
		l := m.clone().dial()
		time.Sleep(time.Second)
		v.open()
		s.settle()
		if first.got[0].GetWelcome() == nil {
			s.Errorf("the first frame was %v, want Welcome", first.got[0])
		}
		s.told(l, pb.GoawayReason_GOAWAY_REASON_CLONED)
		s.lives(first)
	})
}

func TestANewcomerThatComesAsTheFirstLeavesIsLetIn(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		m.mute = true
		old := m.dial()
		s.settle()
		m.mute = false
		m.reboot()
		l := m.dial()
		synctest.Wait()
		old.hangUp()
		synctest.Wait() // at once, not after the two seconds
		if n, _ := l.mapped(); n == 0 {
			s.Error("the newcomer waits for one who has gone")
		}
	})
}

func TestAStopInTheMiddleOfADoubtReplacesNobody(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		m.mute = true
		first := m.dial()
		s.settle()
		l := m.clone().dial()
		s.settle()
		s.ends()
		<-l.closed
		s.told(first, pb.GoawayReason_GOAWAY_REASON_RESTART)
		s.told(l, pb.GoawayReason_GOAWAY_REASON_RESTART)
	})
}

func (l *line) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}
