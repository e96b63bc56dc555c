package relays

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/core/relayed"
)

// latest is the last event of a kind.
func (x *ship) latest(k relayed.Kind) (e timed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, y := range x.events {
		if y.Kind == k {
			e = y
		}
	}
	return e
}

// await has another write until something comes.
func (x *ship) await(from *ship) {
	x.s.Helper()
	for range 5000 {
		if n, _ := x.last(); n > 0 {
			return
		}
		from.write(x, 1)
		time.Sleep(time.Millisecond)
	}
	x.s.Fatal("nothing comes")
}

func (s *sea) atMost(what string, took, most time.Duration) {
	s.Helper()
	s.Logf("%s: %v", what, took)
	if took > most {
		s.Errorf("%s: %v, want %v at most", what, took, most)
	}
}

func TestBlockedUDPIsReplacedByTheConnectionWithinASecond(t *testing.T) {
	voyage(t, func(s *sea) {
		h := s.serve(1)
		s.block(relayAt(1).Addr(), true)
		begun := time.Now()
		a, b := s.launch(9), s.launch(10)
		for i := 0; i < 2000 && (a.latest(relayed.Home).at.IsZero() || b.latest(relayed.Home).at.IsZero()); i++ {
			time.Sleep(time.Millisecond)
		}
		a.meets(b)
		b.meets(a)
		b.await(a)
		s.atMost("from nothing to the first packet", time.Since(begun), time.Second)
		talk(a, b, 10*time.Second)
		s.atMost("gap", b.gap(begun), 100*time.Millisecond)
		st := h.Stats()
		if st.Bound[forward.Stream] != 2 {
			s.Errorf("%+v", st)
		}

		s.block(relayAt(1).Addr(), false)
		since := time.Now()
		talk(a, b, 80*time.Second)
		if st := h.Stats(); st.Bound[forward.UDP] != 2 || st.Connections != 0 {
			s.Errorf("UDP is free again, and not used: %+v", st)
		}
		s.atMost("gap when UDP takes over", max(a.gap(since), b.gap(since)), 150*time.Millisecond)

		s.block(relayAt(1).Addr(), true)
		since = time.Now()
		talk(a, b, 10*time.Second)
		s.atMost("gap when UDP is blocked under way", max(a.gap(since), b.gap(since)), 2*time.Second)
	})
}

func TestPacketsSurviveTheTakeover(t *testing.T) {
	voyage(t, func(s *sea) {
		s.serve(1)
		b := s.launch(10)
		time.Sleep(2 * time.Second)
		a := s.launch(9)
		a.meets(b)
		b.meets(a)
		sent := 0
		for range 1000 {
			if a.write(b, 1) {
				sent++
			}
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		n, _ := b.last()
		s.Logf("%d of %d packets came", n, sent)
		if sent-n > 5 || sent < 900 { // TCP takes no time here, UDP some: a few frames are where the relay does not expect them any more
			s.Errorf("%d of %d packets came", n, sent)
		}
	})
}

func TestAPeerAtAnotherRelayCostsFewRoundTrips(t *testing.T) {
	voyage(t, func(s *sea) {
		s.serve(1)
		b := s.launch(10)
		time.Sleep(time.Second)
		s.relays = nil
		s.serve(2)
		a := s.launch(9)
		time.Sleep(time.Second)
		if a.at() != 2 || b.at() != 1 {
			s.Fatal(a.at(), b.at())
		}
		s.relays = append(s.relays, s.relays[0])
		s.relays[0].ID, s.relays[0].Addresses = 1, []string{relayAt(1).String()}
		a.f.SetRelays(s.relays)
		a.do(func(now mono.Time) {
			a.l.Relays(now, []relayed.Relay{{ID: 2, Addrs: []netip.AddrPort{relayAt(2)}}, {ID: 1, Addrs: []netip.AddrPort{relayAt(1)}}}, &a.out)
		})
		a.meets(b)
		b.meets(a)
		begun := time.Now()
		b.await(a)
		s.atMost("first packet", time.Since(begun), 200*time.Millisecond)
	})
}

func TestTheDeathOfARelayIsASecondOrTwo(t *testing.T) {
	for _, carried := range []bool{false, true} {
		voyage(t, func(s *sea) {
			s.serve(1)
			s.serve(2)
			for id := range s.servers {
				s.block(relayAt(id).Addr(), carried)
			}
			a, b := s.pair()
			talk(a, b, 5*time.Second)
			since := time.Now()
			home := a.at()
			if b.at() != home {
				home = b.at()
			}
			s.block(relayAt(home).Addr(), true)
			s.servers[home].Stop() // it is not there any more, and its connections end
			talk(a, b, 10*time.Second)
			s.atMost("gap", max(a.gap(since), b.gap(since)), 2*time.Second)
			if a.at() == home || b.at() == home {
				s.Error("still at home at the dead relay", a.at(), b.at())
			}
		})
	}
}

func TestTheRestartOfARelayIsSurvived(t *testing.T) {
	voyage(t, func(s *sea) {
		h := s.serve(1)
		a, b := s.pair()
		talk(a, b, 5*time.Second)
		since := time.Now()
		h.Stop()
		s.serve(1)
		talk(a, b, 10*time.Second)
		s.atMost("gap", max(a.gap(since), b.gap(since)), 2*time.Second)
	})
}

func TestADrainBreaksNoFlow(t *testing.T) {
	voyage(t, func(s *sea) {
		s.serve(1)
		s.serve(2)
		a, b := s.pair()
		talk(a, b, 5*time.Second)
		was := a.at()
		since := time.Now()
		drained := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			drained <- s.servers[was].Drain(ctx)
		}()
		talk(a, b, 2*time.Second)
		a.meets(b) // the map tells of new homes
		b.meets(a)
		talk(a, b, 30*time.Second)
		s.atMost("gap", max(a.gap(since), b.gap(since)), 200*time.Millisecond)
		select {
		case err := <-drained:
			if err != nil {
				s.Error(err)
			}
		default:
			s.Error("clients stay at a relay that drains", a.status(), b.status())
		}
		if a.at() == was || b.at() == was {
			s.Error("still at home there", a.at(), b.at())
		}
	})
}

func TestANodeThatMovesIsFollowed(t *testing.T) {
	for _, event := range []bool{false, true} {
		voyage(t, func(s *sea) {
			s.serve(1)
			a, b := s.pair()
			talk(a, b, 5*time.Second)
			since := time.Now()
			if err := a.sock.Move(netip.MustParseAddr("198.51.100.200")); err != nil {
				s.Fatal(err)
			}
			most := 2 * time.Second
			if event {
				most = 300 * time.Millisecond
				a.f.Moved()
				a.do(func(now mono.Time) { a.l.Moved(now, &a.out) })
			}
			talk(a, b, 5*time.Second)
			s.atMost("gap", max(a.gap(since), b.gap(since)), most)
		})
	}
}
