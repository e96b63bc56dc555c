package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestANodeQuickerThanRunIsServed(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.machine("a"), s.machine("b")
		s.ends()
		s.makes(s.db)
		a.dial()
		s.settle()
		s.runs()
		s.settle()
		b.dial()
		s.settle()
		s.sees(a, "b+")
	})
}

func TestStoppingTellsEveryNodeToComeBackLater(t *testing.T) {
	play(t, func(s *scene) {
		const nodes = 60
		var lines []*line
		for i := range nodes {
			lines = append(lines, s.machine(fmt.Sprintf("n%d", i)).dial())
		}
		s.settle()
		begin := time.Now()
		s.ends()
		if d := time.Since(begin); d > time.Second {
			s.Errorf("stopping took %v although everybody listens", d)
		}
		retries := map[uint32]bool{}
		for _, l := range lines {
			<-l.closed
			g := s.told(l, pb.GoawayReason_GOAWAY_REASON_RESTART)
			retries[g.RetryAfterMs] = true
			if g.RetryAfterMs > nodes/2 {
				s.Errorf("%d ms for %d nodes", g.RetryAfterMs, nodes)
			}
		}
		if len(retries) < 10 {
			s.Errorf("only %d different times to come back", len(retries))
		}
	})
}

// Who waits for a session's end, as a hub does that stops, may rely on it that nothing of it is left.
func TestASessionHasEndedWhenNothingOfItIsLeft(t *testing.T) {
	tn := newTenant(nil, 1)
	n := &session{tenant: tn, node: 1, ended: make(chan struct{})}
	tn.sessions[n.node] = n
	tn.mu.Lock()
	go tn.release(n)
	for range 1000 { // no bubble: the one who ends stands at a lock, which a bubble takes for work
		runtime.Gosched()
	}
	select {
	case <-n.ended:
		t.Error("a session that still has its node's place is told to have ended")
	default:
	}
	tn.mu.Unlock()
	<-n.ended
	if len(tn.sessions) != 0 {
		t.Error("a session that has ended has its node's place")
	}
}

func TestTheSpreadOfARestartCountsAllTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*session
		var ends []stream.Stream
		for range 400 {
			here, there := stream.Pipe(stream.Info{}, stream.Info{})
			n := &session{stream: there, ended: make(chan struct{})}
			close(n.ended)
			all, ends = append(all, n), append(ends, here)
		}
		var most uint32
		var reading sync.WaitGroup
		var mu sync.Mutex
		for _, e := range ends {
			reading.Go(func() {
				defer e.Close()
				f, err := e.Recv()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				most = max(most, f.GetGoaway().GetRetryAfterMs())
			})
		}
		sendAway(all)
		reading.Wait()
		if most < 100 || most > 200 {
			t.Errorf("the last of 400 may come back after %d ms, want up to 200", most)
		}
	})
}

func TestStoppingDoesNotWaitForTheDeaf(t *testing.T) {
	play(t, func(s *scene) {
		var lines []*line
		for i := range 10 {
			m := s.machine(fmt.Sprintf("n%d", i))
			var v *valve
			m.wrap = func(st stream.Stream) stream.Stream { v = newValve(st); return v }
			lines = append(lines, m.dial())
			s.settle()
			v.shut()
		}
		begin := time.Now()
		s.ends()
		if d := time.Since(begin); d > 3*time.Second {
			s.Errorf("stopping took %v", d)
		}
		for _, l := range lines {
			<-l.served
		}
		if n := s.current(lines[0].m); n.LastSeen.Before(calendar) {
			s.Errorf("last seen %v: the farewells have used up the time to write it", n.LastSeen)
		}
	})
}

func TestWhoComesWhileTheHubStopsIsToldSo(t *testing.T) {
	play(t, func(s *scene) {
		m, late := s.machine("m"), s.machine("late")
		var v *valve
		m.wrap = func(st stream.Stream) stream.Stream { v = newValve(st); return v }
		m.dial()
		waiting := late.dialWith(nil) // has not said hello yet
		s.settle()
		v.shut()
		s.stop()
		synctest.Wait()
		waiting.say(&pb.Frame{Body: &pb.Frame_Hello{Hello: late.hello()}})
		l := late.dial()
		<-l.closed
		<-waiting.closed
		s.told(l, pb.GoawayReason_GOAWAY_REASON_RESTART)
		s.told(waiting, pb.GoawayReason_GOAWAY_REASON_RESTART)
	})
}

func TestAHubThatStopsLoadsNoTenant(t *testing.T) {
	play(t, func(s *scene) {
		s.tenantNamed("later")
		m := s.machine("m")
		s.ends()
		l := m.dial()
		<-l.closed
		s.told(l, pb.GoawayReason_GOAWAY_REASON_RESTART)
		if n := len(s.hub.all()); n != 1 {
			s.Errorf("%d tenants, want 1", n)
		}
	})
}

func TestAHubStoppedBeforeItBeganIsNoFailure(t *testing.T) {
	play(t, func(s *scene) {
		s.ends()
		s.makes(s.db)
		s.stop()
		s.runs()
		s.ends()
	})
}

func TestAListOfTenantsThatCannotBeReadIsAFailure(t *testing.T) {
	play(t, func(s *scene) {
		s.ends()
		ill := &faulty{Store: s.db}
		ill.set(&ill.listing, errors.New("malformed page"))
		s.begins(ill)
		if err := <-s.done; err == nil || !strings.Contains(err.Error(), "malformed page") {
			s.Errorf("Run returned %v", err)
		}
		s.done = nil
	})
}

func TestATenantThatCannotBeLoadedIsTriedAgain(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("m")
		s.ends()
		var log bytes.Buffer
		s.config = Config{Log: slog.New(slog.NewTextHandler(&log, nil))}
		ill := &faulty{Store: s.db}
		ill.set(&ill.loading, errors.New("malformed page"))
		s.begins(ill)
		l := m.dial()
		s.settle()
		g := s.told(l, pb.GoawayReason_GOAWAY_REASON_UNAVAILABLE)
		if g.RetryAfterMs == 0 || g.Message == "" || strings.Contains(g.Message, "page") {
			s.Errorf("%v: want a time to come back, and not what is wrong inside", g)
		}
		if !strings.Contains(log.String(), "malformed page") {
			s.Errorf("the log does not say what is wrong: %s", log.String())
		}
		ill.set(&ill.loading, nil)
		l = m.dial()
		s.settle()
		s.lives(l)
		if n, _ := l.mapped(); n == 0 {
			s.Error("no map")
		}
	})
}

// A tenant made while the hub runs is loaded when its first node comes; what is committed during the load is neither lost nor
// taken twice.
func TestACommitDuringTheLoadIsNotLost(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.machine("a"), s.machine("b")
		s.ends()
		var log bytes.Buffer
		s.config = Config{Log: slog.New(slog.NewTextHandler(&log, nil))}
		slow := &faulty{Store: s.db, after: make(chan struct{}), loaded: make(chan struct{}, 8)}
		s.makes(slow)
		la := a.dial()
		<-slow.loaded // it has read the tenant, and holds it
		committed := make(chan struct{})
		go func() {
			defer close(committed)
			s.rename(b, "beta")
		}()
		for s.current(b).Name != "beta" { // no Wait: the writer stands at a lock, which a bubble takes for work
			runtime.Gosched()
		}
		close(slow.after)
		<-committed
		s.runs()
		b.dial()
		s.settle()
		s.lives(la)
		s.sees(a, "beta+")
		if strings.Contains(log.String(), "fit the view") {
			s.Error(log.String())
		}
	})
}

// The writer may tell of a commit that the load has seen already: every kind of change must bear it.
func TestACommitThatTheLoadHasSeenIsNoChange(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.machine("a"), s.machine("b")
		lab := must[store.Network](s.T)(s.own.CreateNetwork(s.Context(), me, store.Network{Name: "lab"}, false))
		s.ends()
		var heard []store.Change
		s.db.Listen(func(_ ident.Tenant, c []store.Change) { heard = append(heard, c...) })
		s.rename(a, "alpha")
		s.ok(s.own.DeleteNetwork(s.Context(), me, lab.ID, 0))
		s.policy(`{"acls": [{"src": ["*"], "dst": ["*:*"], "description": "as before"}]}`)
		s.ok(s.own.DeleteNode(s.Context(), me, b.node.ID, 0))
		var log bytes.Buffer
		s.config = Config{Log: slog.New(slog.NewTextHandler(&log, nil))}
		s.begins(s.db)
		la := a.dial()
		s.settle()
		frames, _ := la.mapped()
		for _, c := range heard {
			s.hub.committed(s.tenant, []store.Change{c})
		}
		s.settle()
		if n, _ := la.mapped(); n != frames {
			s.Errorf("%d frames for what was known", n-frames)
		}
		if strings.Contains(log.String(), "fit the view") {
			s.Error(log.String())
		}
	})
}

func TestATenantMadeLaterIsServed(t *testing.T) {
	play(t, func(s *scene) {
		s.tenantNamed("later")
		all := s.machines("a", "b")
		s.sees(all[0], "b+")
		if n, _ := all[0].table.Network(); n.Tenant != "later" {
			s.Errorf("%+v", n)
		}
	})
}

func TestLastSeenTimesAreWrittenDown(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.machine("a"), s.machine("b")
		a.dial()
		b.dial().hangUp()
		left := s.now()
		time.Sleep(seenEvery * upkeepEvery)
		s.settle()
		if n := s.current(b); !n.LastSeen.Equal(left) {
			s.Errorf("b was seen %v, want %v", n.LastSeen, left)
		}
		time.Sleep(onlineEvery * upkeepEvery)
		s.settle()
		if n := s.current(a); s.now().Sub(n.LastSeen) > onlineEvery*upkeepEvery {
			s.Errorf("a, which is online, was seen %v at %v", n.LastSeen, s.now())
		}
		s.ends()
		if n := s.current(a); !n.LastSeen.Equal(s.now()) {
			s.Errorf("a was seen %v, want the moment when the hub stopped, %v", n.LastSeen, s.now())
		}
		s.restarts()
		if l := s.hub.Live(s.tenant, b.node.ID); !l.LastSeen.Equal(left) {
			s.Errorf("after a restart b was seen %v", l.LastSeen)
		}
	})
}

func TestLastSeenTimesThatCannotBeWrittenWait(t *testing.T) {
	play(t, func(s *scene) {
		s.ends()
		ill := &faulty{Store: s.db}
		s.begins(ill)
		b := s.machine("b")
		b.dial().hangUp()
		left := s.now()
		ill.set(&ill.seeing, store.ErrReadOnly)
		time.Sleep(5 * time.Minute)
		ill.set(&ill.seeing, nil)
		time.Sleep(seenEvery * upkeepEvery)
		s.settle()
		if n := s.current(b); !n.LastSeen.Equal(left) {
			s.Errorf("b was seen %v, want %v", n.LastSeen, left)
		}
	})
}

func TestADatabaseThatCannotBeWrittenServesMaps(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b")
		s.ends()
		ill := &faulty{Store: s.db}
		ill.set(&ill.signing, store.ErrReadOnly)
		s.begins(ill)
		unsigned := s.machine("unsigned")
		all[0].dial()
		unsigned.dial()
		s.settle()
		s.sees(all[0], "b")
		s.sees(unsigned, "a+", "b")
	})
}

// Whoever was away for longer than deletions are remembered gets a snapshot; who was not, a delta.
func TestOldDeletionsAreForgotten(t *testing.T) {
	for days, want := range map[int]bool{6: false, 8: true} {
		t.Run(fmt.Sprint(days), func(t *testing.T) {
			play(t, func(s *scene) {
				all := s.machines("a", "b")
				a := all[0].dial()
				s.settle()
				a.hangUp()
				s.ok(s.own.DeleteNode(s.Context(), me, all[1].node.ID, 0))
				time.Sleep(time.Duration(days) * 24 * time.Hour)
				l := all[0].dial()
				s.settle()
				s.sees(all[0])
				if got := l.got[1].GetMap().GetSnapshot(); got != want {
					s.Errorf("a snapshot: %v, want %v", got, want)
				}
			})
		})
	}
}

// Everything at once, for the race detector: nodes come, go, report, are renamed, deleted and cloned while the hub restarts.
func TestACrowdedTenantKeepsItsPeace(t *testing.T) {
	play(t, func(s *scene) {
		const nodes = 12
		watcher := s.machine("watcher")
		var all []*machine
		for i := range nodes {
			all = append(all, s.machine(fmt.Sprintf("n%d", i)))
		}
		watcher.dial()
		var busy sync.WaitGroup
		for i, m := range all {
			busy.Go(func() {
				for round := range 6 {
					l := m.dial()
					l.reports(uint16(100*i + round + 1))
					switch {
					case round%3 == 0:
						m.clone().dial()
					case round%3 == 1:
						m.dial()
					}
					time.Sleep(time.Duration(i*37+round*211) * time.Millisecond)
					l.hangUp()
				}
			})
		}
		for round := range 20 {
			for _, m := range all {
				s.rename(m, fmt.Sprintf("%s-%d", m.name, round))
			}
			time.Sleep(300 * time.Millisecond)
		}
		busy.Wait()
		gone := all[nodes/2:]
		for _, m := range gone {
			s.ok(s.own.DeleteNode(context.Background(), me, m.node.ID, 0))
		}
		var want []string
		for _, m := range all[:nodes/2] {
			m.dial()
		}
		time.Sleep(2 * clonePatience)
		s.settle()
		for _, m := range all[:nodes/2] {
			want = append(want, m.name+"-19+")
		}
		s.sees(watcher, want...)
	})
}
