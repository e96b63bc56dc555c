package path

import (
	"testing"
	"time"
)

func TestSizeOfAWayIsFound(t *testing.T) {
	for _, limit := range []int{0, 1472, 1464, 1400, 1300, 1252, 1232} {
		s := newSim(t, 5, "port", "port")
		s.limit = limit
		if !s.bothTalk(5 * time.Second) {
			t.Fatal("never direct")
		}
		began := s.now
		want := limit
		if limit == 0 {
			want = top4
		}
		near := func() bool {
			return s.nodes[0].size > want-exactness && s.nodes[0].size <= want && s.nodes[1].size > want-exactness && s.nodes[1].size <= want
		}
		if !s.run(10*time.Second, near) {
			t.Errorf("limit %d: %d and %d", limit, s.nodes[0].size, s.nodes[1].size)
		}
		t.Logf("limit %d: %d after %v", limit, s.nodes[0].size, s.now.Sub(began))
	}
}

func TestDataIsSmallUntilTheSizeIsKnown(t *testing.T) {
	s := newSim(t, 5, "port", "port")
	s.limit = 1300
	if !s.bothTalk(5*time.Second) || s.nodes[0].size != leastSize {
		t.Fatalf("size %d", s.nodes[0].size)
	}
}

// A hole that opens while data flows: long datagrams vanish and nothing comes back, while pings are answered.
func TestBlackHoleIsFoundWhileDataFlows(t *testing.T) {
	s := newSim(t, 5, "port", "port")
	if !s.bothTalk(5 * time.Second) {
		t.Fatal("never direct")
	}
	s.run(5*time.Second, nil)
	s.limit = 1300
	for _, n := range s.nodes {
		n.dataSize = 1400
	}
	began := s.now
	if !s.run(10*time.Second, func() bool { return s.nodes[0].size <= 1300 && s.nodes[1].size <= 1300 }) {
		t.Fatalf("sizes %d and %d", s.nodes[0].size, s.nodes[1].size)
	}
	t.Logf("found after %v", s.now.Sub(began))
	if !s.direct() {
		t.Error("the way was left")
	}
}

// A long packet every few seconds, and its echo: whoever echoes hears the other just before each long packet of its own, and never after. The hole
// is on the way from there.
func TestBlackHoleIsFoundWhileLittleFlows(t *testing.T) {
	var took [2][]time.Duration // of who echoes, and of who asks
	for seed := range uint64(seeds) {
		for side := range took {
			s := newSim(t, seed, "port", "port")
			if !s.bothTalk(5 * time.Second) {
				t.Fatal("never direct")
			}
			s.run(5*time.Second, nil)
			echoes, asks := s.nodes[0], s.nodes[1]
			asks.every, asks.dataSize = 3*time.Second, 1400
			echoes.talks, echoes.dataSize, echoes.echoes = false, 1400, true
			s.run(20*time.Second+time.Duration(s.rnd.IntN(10_000))*time.Millisecond, nil)
			s.limits[side] = 1300
			began := s.now
			s.run(time.Minute, func() bool { return s.nodes[side].size <= 1300 })
			took[side] = append(took[side], s.now.Sub(began))
			if !s.direct() {
				t.Error("the way was left")
			}
		}
	}
	for side, all := range took {
		p50, worst := percentile(all, 0.5), percentile(all, 1)
		t.Logf("side %d: p50 %v, worst %v", side, p50, worst)
		if worst > sizeCalm+5*time.Second {
			t.Errorf("side %d: worst %v", side, worst)
		}
	}
}

// Long packets vanish while short ones flow both ways, so that nothing seems to be without an answer.
func TestBlackHoleIsFoundBesideAFlowOfShortPackets(t *testing.T) {
	s := newSim(t, 5, "port", "port")
	if !s.bothTalk(5 * time.Second) {
		t.Fatal("never direct")
	}
	s.run(5*time.Second, nil)
	n := s.nodes[0]
	s.limit = 1300
	began := s.now
	var long func()
	long = func() {
		size := n.dataSize
		n.dataSize = 1400
		n.say()
		n.dataSize = size
		s.after(3*time.Second, long)
	}
	long()
	if !s.run(time.Minute, func() bool { return n.size <= 1300 }) || s.now.Sub(began) > 20*time.Second {
		t.Errorf("after %v it takes it for %d", s.now.Sub(began), n.size)
	}
	t.Logf("found after %v", s.now.Sub(began))
}

// What looks for holes is little beside what flows: nothing to speak of while packets are short, and a probe every five seconds and end while they are long.
func TestLittleIsProbedWhereNoHoleIs(t *testing.T) {
	for _, c := range []struct{ size, most int }{{100, 4}, {1400, 26}} {
		s := newSim(t, 5, "port", "port")
		if !s.bothTalk(5 * time.Second) {
			t.Fatal("never direct")
		}
		s.run(5*time.Second, nil)
		asks, answers := s.nodes[0], s.nodes[1]
		asks.every, asks.dataSize = 3*time.Second, c.size
		answers.talks, answers.dataSize, answers.echoes = false, c.size, true
		s.run(20*time.Second, nil)
		before := s.padded
		s.run(time.Minute, nil)
		t.Logf("%d bytes every three seconds: %d probes in a minute", c.size, s.padded-before)
		if n := s.padded - before; n > c.most {
			t.Errorf("%d bytes every three seconds: %d probes in a minute", c.size, n)
		}
	}
}

// Behind a relay nothing is held back until it turns out that long datagrams vanish on their way there or from there.
func TestBlackHoleOfARelayIsFoundWhileDataFlows(t *testing.T) {
	const whole = top6 - relayHeader
	for _, limit := range []int{0, whole, whole - 1, 1300, leastSize - relayHeader} {
		s := newSim(t, 5, "sym", "sym")
		s.narrow = limit
		for _, n := range s.nodes {
			n.dataSize = whole
		}
		want := limit
		if limit == 0 {
			want = whole
		}
		found := func() bool {
			for _, n := range s.nodes {
				if n.using.Relay == 0 || n.size < want-exactness || limit > 0 && n.size > want {
					return false
				}
			}
			return true
		}
		s.bothTalk(0)
		began := s.now
		if !s.run(5*time.Second, found) {
			t.Errorf("limit %d: %d and %d", limit, s.nodes[0].size, s.nodes[1].size)
		}
		t.Logf("limit %d: %d after %v", limit, s.nodes[0].size, s.now.Sub(began))
	}
}

func TestBlackHoleThatComesBeforeARelayIsFound(t *testing.T) {
	s := newSim(t, 5, "sym", "sym")
	for _, n := range s.nodes {
		n.dataSize = top6 - relayHeader
	}
	s.bothTalk(5 * time.Second)
	s.narrow = 1300
	began := s.now
	if !s.run(10*time.Second, func() bool { return s.nodes[0].size <= 1300 && s.nodes[1].size <= 1300 }) {
		t.Fatalf("sizes %d and %d", s.nodes[0].size, s.nodes[1].size)
	}
	t.Logf("found after %v", s.now.Sub(began))
}

// Who leaves a way and comes back is told again what it carries: the owner has forgotten.
func TestSizeIsToldAgainWhenAWayIsTakenAgain(t *testing.T) {
	s := newSim(t, 5, "port", "port")
	s.limit = 1300
	if !s.bothTalk(5 * time.Second) {
		t.Fatal("never direct")
	}
	s.run(5*time.Second, nil)
	n := s.nodes[0]
	x := n.f.peers[0].search
	direct, relay := x.find(n.using), x.find(Way{Relay: 1})
	n.f.take(s.now, x, relay, Better, &n.out)
	n.flush()
	n.f.take(s.now, x, direct, Better, &n.out)
	n.flush()
	if n.size > 1300 {
		t.Errorf("it takes it for %d", n.size)
	}
}

func TestICMPIsOnlyAHint(t *testing.T) {
	s := newSim(t, 5, "port", "port")
	if !s.bothTalk(5 * time.Second) {
		t.Fatal("never direct")
	}
	s.run(5*time.Second, nil)
	n := s.nodes[0]
	n.f.TooBig(s.now, 0, n.using, &n.out) // a lie
	n.flush()
	s.run(2*time.Second, nil)
	if n.size != top4 {
		t.Errorf("a lie made it %d", n.size)
	}
	s.limit = 1400
	n.f.TooBig(s.now, 0, n.using, &n.out)
	n.flush()
	s.run(5*time.Second, nil)
	if n.size > 1400 || n.size <= 1400-exactness {
		t.Errorf("size %d", n.size)
	}
}

// A search that finds what was known ends, and the next begins when its time has come.
func TestSearchThatFindsNothingNewEnds(t *testing.T) {
	z := sizes{}
	z.again(0, leastSize, top4, true)
	for probes := range 100 {
		size := z.advance()
		if size == 0 {
			break
		}
		if probes == 99 {
			t.Fatal("the first search does not end")
		}
		z.tries++
		z.passed(0, size)
	}
	s := newSim(t, 5, "port", "port")
	if !s.bothTalk(5 * time.Second) {
		t.Fatal("never direct")
	}
	s.run(5*time.Second, nil)
	f := s.nodes[0].f
	var out Decisions
	for _, p := range f.peers {
		w := p.search.chosen
		for id := range f.peers {
			f.TooBig(s.now, id, w, &out)
		}
	}
	s.run(30*time.Second, nil)
	for _, p := range f.peers {
		if c := p.search.find(p.search.chosen).carries; c.ended.IsNever() || c.known != top4 {
			t.Errorf("it goes on: %+v", c)
		}
	}
}
