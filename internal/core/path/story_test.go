package path

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/sim/natmodel"
)

// story runs a story of two nodes that talk directly, with many seeds, and says what the times were that it measured.
func story(t *testing.T, kinds [2]string, seeds int, p95 time.Duration, tell func(s *sim) (time.Duration, bool)) {
	t.Helper()
	var took []time.Duration
	for seed := range seeds {
		s := newSim(t, uint64(seed), kinds[0], kinds[1])
		s.loss = 0.01
		if !s.bothTalk(8 * time.Second) {
			s.tellHistory()
			t.Fatalf("seed %d: never direct", seed)
		}
		s.run(time.Duration(5000+s.rnd.IntN(5000))*time.Millisecond, nil)
		d, ok := tell(s)
		if !ok {
			t.Errorf("seed %d: it did not come to a good end", seed)
			s.tellHistory()
			return
		}
		took = append(took, d)
	}
	t.Logf("p50 %v, p95 %v, worst %v", percentile(took, 0.5), percentile(took, 0.95), percentile(took, 1))
	if got := percentile(took, 0.95); got > p95 {
		t.Errorf("p95 %v, want %v at most", got, p95)
	}
}

const seeds = 60

// silenceUntil runs until both nodes have heard the other by a way that suits, and returns the longest time without data of the worse one.
func (s *sim) silenceUntil(within time.Duration, suits func(Way) bool) (time.Duration, bool) {
	began := s.now
	heard := func(n *node) (at mono.Time) {
		for _, a := range n.got {
			if a.at > began.Add(60*time.Millisecond) && suits(a.way) {
				return a.at
			}
		}
		return mono.Never
	}
	ok := s.run(within, func() bool { return !heard(s.nodes[0]).IsNever() && !heard(s.nodes[1]).IsNever() })
	return max(heard(s.nodes[0]), heard(s.nodes[1])).Sub(began), ok
}

func relayed(w Way) bool { return w.Relay != 0 }
func anyWay(Way) bool    { return true }

func TestDeadDirectWayGivesWayToTheRelay(t *testing.T) {
	story(t, [2]string{"port", "port+rand"}, seeds, 2*time.Second, func(s *sim) (time.Duration, bool) {
		s.cut = [2]bool{true, true}
		return s.silenceUntil(5*time.Second, relayed)
	})
}

func TestWayThatDiedInOneDirectionOnly(t *testing.T) {
	story(t, [2]string{"port", "port"}, seeds, 2*time.Second, func(s *sim) (time.Duration, bool) {
		s.cut[0] = true
		return s.silenceUntil(5*time.Second, relayed)
	})
}

func TestHealedWayIsUsedAgain(t *testing.T) {
	story(t, [2]string{"port", "addr"}, seeds, 10*time.Second, func(s *sim) (time.Duration, bool) {
		s.cut = [2]bool{true, true}
		s.run(time.Duration(5+s.rnd.IntN(60))*time.Second, nil)
		s.cut = [2]bool{}
		began := s.now
		ok := s.run(20*time.Second, s.direct)
		return s.now.Sub(began), ok
	})
}

// A way whose port was guessed leads from a socket of its own, and the peer goes on saying that it is where that leads. It is tried like any other, and
// nothing has to be guessed anew, which may be done once a minute only.
func TestHealedWayThatWasGuessedIsUsedAgain(t *testing.T) {
	for _, kinds := range [][2]string{{"port", "sym"}, {"sym", "fw"}} {
		for seed := range uint64(seeds / 2) {
			s := newSim(t, seed, kinds[0], kinds[1])
			s.loss = 0.01
			if !s.bothTalk(80 * time.Second) { // a guess that misses is made again after a minute
				s.tellHistory()
				t.Fatalf("%v, seed %d: never direct", kinds, seed)
			}
			s.run(time.Duration(5000+s.rnd.IntN(5000))*time.Millisecond, nil)
			s.cut = [2]bool{true, true}
			s.run(time.Duration(3+s.rnd.IntN(55))*time.Second, nil)
			s.cut = [2]bool{}
			healed := s.now
			if !s.run(6*time.Second, s.direct) {
				s.tellHistory()
				t.Fatalf("%v, seed %d: not direct %v after it has healed", kinds, seed, s.now.Sub(healed))
			}
		}
	}
}

func TestDeadRelayGivesWayToAnother(t *testing.T) {
	story(t, [2]string{"port", "port"}, seeds, 2*time.Second, func(s *sim) (time.Duration, bool) {
		s.cut = [2]bool{true, true}
		s.run(20*time.Second, nil)
		s.relays[1] = false
		return s.silenceUntil(5*time.Second, func(w Way) bool { return w.Relay == 2 })
	})
}

// A peer is started anew while its relay is in doubt because of that. It is back at that relay, and at no other.
func TestRelayThatBringsAWordOfThePeerIsSpared(t *testing.T) {
	for _, away := range []time.Duration{300 * time.Millisecond, time.Second, 1200 * time.Millisecond, 5 * time.Second} {
		s := newSim(t, 3, "sym", "sym")
		s.bothTalk(0)
		s.run(5*time.Second, nil)
		n, o := s.nodes[0], s.nodes[1]
		if n.using.Relay != 1 || o.using.Relay != 1 {
			t.Fatalf("%v and %v", n.using, o.using)
		}
		o.talks = false // it is gone
		s.relays[1], s.relays[2] = false, false
		s.run(away, nil)
		s.relays[1] = true // and there again; the other relay still takes it for where it was
		o.f = NewFinder(Config{}, 1000, source{s.rnd})
		o.f.SetPeer(s.now, 0, Known{Relays: [4]uint8{1, 2}}, &o.out)
		o.f.Relay(s.now, 1, true, &o.out)
		o.using = Way{}
		o.got = nil
		began := s.now
		o.talks = true
		o.talk()
		if !s.run(5*time.Second, func() bool { return len(o.got) > 0 }) {
			t.Fatal("nothing comes")
		}
		if took := s.now.Sub(began); took > 250*time.Millisecond {
			t.Errorf("away %v: nothing comes for %v: %v", away, took, n.history)
		}
	}
}

// One that brings and does not take is left all the same.
func TestRelayThatOnlyBringsIsLeft(t *testing.T) {
	s := newSim(t, 3, "sym", "sym")
	s.bothTalk(0)
	s.run(5*time.Second, nil)
	n, o := s.nodes[0], s.nodes[1]
	s.deaf = [3]bool{1: true}
	o.got = nil
	if !s.run(3*time.Second, func() bool { return n.using.Relay == 2 }) {
		t.Fatalf("it stays: %v", n.history)
	}
	if s.run(10*time.Second, func() bool { return n.using.Relay == 1 }) {
		t.Errorf("it comes back: %v", n.history)
	}
}

// Three relays of a region: node 0 is at home at the first and has a link to the second, where node 1 is at home, which has one to the third. What node 0 sends
// crosses the region; the answer does not, as node 0 is at the second, too. All the same the first works.
func TestAnswersThatComeThroughAnotherRelayOfTheRegionCount(t *testing.T) {
	for seed := range uint64(seeds) {
		s := newSim(t, seed, "sym", "sym")
		s.lands = [2][3]uint8{{2: 1}, {1: 2}}
		s.bothTalk(0)
		s.run(10*time.Second, nil)
		n := s.nodes[0]
		if st, _ := n.f.Status(0); len(n.history) != 1 || st.Candidates[0].Way.Relay != 1 || st.Candidates[0].State == Dead || st.Candidates[0].RTT == 0 {
			t.Errorf("seed %d: it is left", seed)
			s.tellHistory()
		}
	}
}

// What comes through another relay than is in use answers what went out on that: neither is asked all the time.
func TestARelayWhoseAnswersComeThroughAnotherIsLeftInPeace(t *testing.T) {
	asked := func(crossed bool) int {
		s := newSim(t, 3, "sym", "sym")
		if crossed {
			s.lands = [2][3]uint8{{2: 1}, {1: 2}}
		}
		s.bothTalk(0)
		s.run(10*time.Second, nil)
		before := s.asked
		s.run(time.Minute, nil)
		return s.asked - before
	}
	straight, crossed := asked(false), asked(true)
	t.Logf("pings through relays in a minute: %d, and %d where answers take another", straight, crossed)
	if crossed > straight+straight/2 {
		t.Errorf("%d pings", crossed)
	}
}

// And the two agree on a moment, and are direct as soon as others.
func TestTwoWhoseRelaysForwardToEachOtherAreDirectAtOnce(t *testing.T) {
	var took []time.Duration
	for seed := range uint64(seeds) {
		s := newSim(t, seed, "port", "port")
		s.lands = [2][3]uint8{{2: 1}, {1: 2}}
		began := s.now.Add(200 * time.Millisecond) // as bothTalk does
		if !s.bothTalk(5 * time.Second) {
			t.Fatalf("seed %d: never direct", seed)
		}
		took = append(took, s.now.Sub(began))
	}
	t.Logf("p50 %v, p95 %v", percentile(took, 0.5), percentile(took, 0.95))
	if p95 := percentile(took, 0.95); p95 > 300*time.Millisecond {
		t.Errorf("p95 %v", p95)
	}
}

// A slot is given up and goes to another relay, where the peer is not. What was known of the relay before is no reason to go there when the peer's own dies.
func TestAnotherRelayInASlotIsNotTakenForTheOneBefore(t *testing.T) {
	s := newSim(t, 3, "sym", "sym")
	s.bothTalk(0)
	s.run(5*time.Second, nil)
	n := s.nodes[0]
	s.relays[1] = false
	n.f.SetPeer(s.now, 0, Known{Relays: [4]uint8{2}}, &n.out)
	n.f.Relay(s.now, 1, false, &n.out)
	n.f.Vacant(s.now, 1, &n.out)
	n.flush()
	if st, _ := n.f.Status(0); n.using.Relay != 2 || slices.ContainsFunc(st.Candidates, func(c Candidate) bool { return c.Way.Relay == 1 }) {
		t.Errorf("it uses %v: %+v", n.using, st)
	}
	s.run(5*time.Second, nil)
	n.f.Relay(s.now, 1, true, &n.out)
	n.flush()
	s.relays[2] = false
	if s.run(10*time.Second, func() bool { return n.using.Relay == 1 }) {
		t.Errorf("it goes where the peer never was: %v", n.history)
	}
}

func TestRelayThatIsSaidToBeDownIsLeftAtOnce(t *testing.T) {
	s := newSim(t, 1, "sym", "sym")
	s.bothTalk(time.Second)
	s.relays[1] = false
	for _, n := range s.nodes {
		n.f.Relay(s.now, 1, false, &n.out)
		n.flush()
		if n.using.Relay != 2 {
			t.Errorf("node %d uses %v", n.side, n.using)
		}
	}
	for _, n := range s.nodes {
		n.f.Relay(s.now, 2, false, &n.out)
		n.flush()
		if n.using.IsValid() {
			t.Errorf("node %d uses %v", n.side, n.using)
		}
	}
}

// A node starts anew after ports were guessed, and remembers no minute. Its peer does. Sockets that it opens alone may meet a hole of the guess before, for a while;
// if they do not, and later, the two guess again as soon as both may, in one hunt, and do not miss each other for minutes.
func TestTwoOfWhomOneHasForgottenGuessTogether(t *testing.T) {
	for _, kinds := range [][2]string{{"sym", "port"}, {"port", "sym"}} {
		story(t, kinds, seeds, 45*time.Second, func(s *sim) (time.Duration, bool) {
			s.run(time.Duration(s.rnd.IntN(50))*time.Second, nil)
			s.nodes[0].restart()
			began := s.now
			ok := s.run(guessEvery+10*time.Second, s.direct)
			return s.now.Sub(began), ok
		})
	}
}

// restart makes a node forget everything but what the map says. Its sockets are closed, and so is what led to them.
func (n *node) restart() {
	n.f, n.out, n.using = NewFinder(Config{Guess: true}, n.rnd.Uint64(), source{n.rnd}), Decisions{}, Way{}
	n.sockets = map[uint16]netip.AddrPort{0: n.sockets[0]}
	n.f.SetPeer(n.now, 0, Known{Relays: [4]uint8{1, 2}}, &n.out)
	for slot := range uint8(2) {
		n.f.Relay(n.now, slot+1, true, &n.out)
	}
	n.stun()
	n.flush()
}

// roam puts a node behind another address of its NAT, with another address of its own.
func (n *node) roam() {
	n.box.Renumber(netip.AddrFrom4([4]byte{198, 51, 100, byte(101 + n.side)}))
	n.sockets[0] = netip.AddrPortFrom(n.sockets[0].Addr(), 41641)
	n.box.Out(n.now, n.sockets[0], relayAt[1])
}

func TestRoamingWithALinkEvent(t *testing.T) {
	story(t, [2]string{"port", "port"}, seeds, time.Second, func(s *sim) (time.Duration, bool) {
		n := s.nodes[0]
		n.roam()
		n.f.Wake(s.now, LinkChanged, &n.out)
		n.flush()
		return s.silenceUntil(5*time.Second, anyWay)
	})
}

func TestRoamingIsDirectAgainSoon(t *testing.T) {
	story(t, [2]string{"port", "port"}, seeds, 3*time.Second, func(s *sim) (time.Duration, bool) {
		n := s.nodes[0]
		n.roam()
		n.f.Wake(s.now, LinkChanged, &n.out)
		n.flush()
		began := s.now
		old := s.nodes[1].using
		ok := s.run(10*time.Second, func() bool { return s.direct() && s.nodes[1].using != old })
		return s.now.Sub(began), ok
	})
}

func TestRoamingWithoutALinkEvent(t *testing.T) {
	for _, kinds := range [][2]string{{"port", "port"}, {"port", "none"}, {"fullcone", "fw"}} {
		story(t, kinds, seeds, 3*time.Second, func(s *sim) (time.Duration, bool) {
			s.nodes[0].roam()
			return s.silenceUntil(6*time.Second, anyWay)
		})
	}
}

func TestRebootOfARouter(t *testing.T) {
	for _, kinds := range [][2]string{{"port+rand", "port+rand"}, {"port", "fullcone"}, {"linux+openinput", "port"}} {
		story(t, kinds, seeds, 3*time.Second, func(s *sim) (time.Duration, bool) {
			s.nodes[1].box.Reboot()
			d, ok := s.silenceUntil(6*time.Second, anyWay)
			return d, ok && s.run(15*time.Second, s.direct)
		})
	}
}

func TestSleepAndWake(t *testing.T) {
	story(t, [2]string{"port", "port+rand"}, 20, 2*time.Second, func(s *sim) (time.Duration, bool) {
		n := s.nodes[0]
		for _, n := range s.nodes {
			n.talks = false
		}
		s.run(time.Hour, nil)
		for _, n := range s.nodes {
			n.box.Reboot()
			n.box.Out(s.now, n.sockets[0], relayAt[1])
		}
		n.f.Wake(s.now, Resumed, &n.out)
		n.flush()
		began := s.now
		n.talks = true
		n.talk()
		s.nodes[1].talks = true
		s.nodes[1].talk()
		ok := s.run(10*time.Second, s.direct)
		return s.now.Sub(began), ok
	})
}

// quiet stops all traffic and lets time pass; it returns how many datagrams the Finders sent meanwhile.
func (s *sim) quiet(d time.Duration) int {
	for _, n := range s.nodes {
		n.talks = false
	}
	s.run(time.Second, nil)
	before := s.sends
	s.run(d, nil)
	return s.sends - before
}

func TestNothingChangesWhileDataFlows(t *testing.T) {
	story(t, [2]string{"port", "port"}, 10, 0, func(s *sim) (time.Duration, bool) {
		before := len(s.nodes[0].history)
		s.run(5*time.Minute, nil)
		return 0, len(s.nodes[0].history) == before
	})
}

func TestQuietWayIsKeptOpenForAWhile(t *testing.T) {
	story(t, [2]string{"port", "port"}, 10, 0, func(s *sim) (time.Duration, bool) {
		s.loss = 0
		n := s.quiet(100 * time.Second)
		if n > 2*2*100/25+20 {
			t.Errorf("%d datagrams in 100 s", n)
		}
		return 0, s.direct()
	})
}

func TestSilentPeerCostsNothing(t *testing.T) {
	story(t, [2]string{"port", "port"}, 10, 0, func(s *sim) (time.Duration, bool) {
		s.quiet(5 * time.Minute)
		if n := s.quiet(time.Hour); n != 0 {
			t.Errorf("%d datagrams", n)
		}
		for _, n := range s.nodes {
			if n.f.peers[0].search != nil || !n.f.Deadline().IsNever() {
				t.Error("something is kept")
			}
		}
		return 0, relayed(s.nodes[0].using) && relayed(s.nodes[1].using)
	})
}

func TestKeepalivesFitTheNAT(t *testing.T) {
	for _, known := range []bool{true, false} {
		s := newSim(t, 3, "port", "port")
		s.lifetime(15 * time.Second)
		if !s.bothTalk(5 * time.Second) {
			t.Fatal("never direct")
		}
		for _, n := range s.nodes {
			own := n.f.own
			if known {
				own.Lifetime = 15 * time.Second
			}
			n.f.Own(s.now, own, &n.out)
			n.flush()
		}
		for range 6 {
			s.quiet(90 * time.Second)
			for _, n := range s.nodes {
				n.talks = true
				n.talk()
			}
			s.run(10*time.Second, nil)
		}
		s.quiet(90 * time.Second)
		if !s.direct() {
			t.Errorf("lifetime known: %v: the way was lost", known)
			s.tellHistory()
		}
	}
}

// What is measured is how long a NAT of IPv4 remembers. A firewall that lets IPv6 through may remember less long.
func TestAWayOverIPv6IsKeptAsNearlyAllDemand(t *testing.T) {
	for lifetime, want := range map[time.Duration][2]time.Duration{
		0:                 {keepEvery, keepEvery},
		15 * time.Second:  {10 * time.Second, 10 * time.Second},
		300 * time.Second: {keepMost, keepEvery},
	} {
		f := finder(false)
		f.Own(start, Own{Lifetime: lifetime}, new(Decisions))
		four, six := Way{Remote: netip.MustParseAddrPort("203.0.113.7:1")}, Way{Remote: netip.MustParseAddrPort("[2001:db8::7]:1")}
		if got := [2]time.Duration{f.keeps(four), f.keeps(six)}; got != want {
			t.Errorf("a lifetime of %v: %v, want %v", lifetime, got, want)
		}
	}
}

// measured gives the boxes mappings of a lifetime each, and tells each node what measuring would find out.
func (s *sim) measured(keeps [2]time.Duration) {
	for i, n := range s.nodes {
		c := n.box.Config()
		c.Lifetime = keeps[i]
		n.box = natmodel.New(c, n.box.Outside(), s.rnd)
		n.lifetime = keeps[i] * 9 / 10
		n.stun()
	}
}

// However long the two NATs keep mappings, and whichever each is: a way that rests is there until its two minutes are over, and is asked no more often than that takes.
func TestAWayThatRestsOutlivesItsNATs(t *testing.T) {
	all := []time.Duration{15, 30, 60, 120, 300}
	kinds := []string{"port", "addr", "fullcone", "port+rand", "fw"}
	for seed := range uint64(*worlds) {
		s := newSim(t, seed, kinds[seed%5], kinds[seed/5%5])
		keeps := [2]time.Duration{all[seed/25%5] * time.Second, all[seed/125%5] * time.Second}
		s.measured(keeps)
		if !s.bothTalk(5*time.Second) || !s.run(5*time.Second, s.direct) {
			t.Fatalf("seed %d: never direct", seed)
		}
		s.run(time.Second, nil)
		sent := s.quiet(110 * time.Second)
		if !s.direct() {
			t.Errorf("seed %d: NATs of %v lost the way", seed, keeps)
			s.tellHistory()
		}
		if least := min(keeps[0], keeps[1]); least >= 300*time.Second && sent > 30 {
			t.Errorf("seed %d: NATs of %v, and %d datagrams", seed, keeps, sent)
		}
	}
}

// A NAT that begins to forget sooner than was measured costs one way that rests, no more.
func TestARouterThatForgetsSoonerThanMeasuredIsNoticed(t *testing.T) {
	for seed := range uint64(20) {
		s := newSim(t, seed, "port", "port")
		s.measured([2]time.Duration{300 * time.Second, 300 * time.Second})
		lost := 0
		for round := range 8 {
			for _, n := range s.nodes {
				n.talks = true
				n.talk()
			}
			if !s.run(20*time.Second, s.direct) {
				t.Fatalf("seed %d: never direct", seed)
			}
			s.run(2*time.Second, nil)
			if round == 1 {
				for _, n := range s.nodes {
					c := n.box.Config()
					c.Lifetime = 30 * time.Second
					n.box = natmodel.New(c, n.box.Outside(), s.rnd)
				}
				s.run(20*time.Second, s.direct)
			}
			if s.quiet(110 * time.Second); !s.direct() {
				lost++
			}
		}
		if lost > 1 {
			t.Errorf("seed %d: the way was lost %d times", seed, lost)
			s.tellHistory()
		}
	}
}
