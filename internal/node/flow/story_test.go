package flow

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

func TestNothingPassesUntilThereAreRules(t *testing.T) {
	s := newStory(t)
	s.dropped(s.a, s.tcp(s.a, 40000, 443, syn), "out: closed")
	s.policyAt(s.a, rule(s.a, s.b, filter.TCP, 443))
	s.dropped(s.a, s.tcp(s.a, 40000, 443, syn), "in: closed")
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	s.connect(s.a, 40000, 443)
	s.a.Swap(nil)
	s.dropped(s.a, s.tcp(s.a, 40000, 443, ack), "out: closed")
	s.dropped(s.b, s.tcp(s.b, 443, 40000, ack), "in: closed")
}

func TestAnAnswerNeedsNoRule(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.ICMP, 0), rule(s.a, s.b, filter.TCP, 443), rule(s.a, s.b, filter.UDP, 53), rule(s.a, s.b, 47, 0), rule(s.a, s.b, filter.ICMPv6, 0))
	s.connect(s.a, 40000, 443)
	s.dropped(s.b, s.tcp(s.b, 443, 40001, syn), "out: no_rule")
	s.dropped(s.b, s.send(s.b, filter.UDP, udp(53, 1024, 9)), "out: no_rule")
	s.arrives(s.a, s.send(s.a, filter.UDP, udp(1024, 53, 9)))
	s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 1024, 9)))
	s.dropped(s.b, s.send(s.b, filter.UDP, udp(53, 1025, 9)), "out: no_rule")
	s.dropped(s.b, s.send(s.b, 47, []byte{1}), "out: no_rule")
	s.arrives(s.a, s.send(s.a, 47, []byte{1}))
	s.arrives(s.b, s.send(s.b, 47, []byte{1}))
}

func TestAnEchoIsAnsweredByItsNumber(t *testing.T) {
	for _, v := range []struct{ proto, request, reply uint8 }{{filter.ICMP, 8, 0}, {filter.ICMPv6, 128, 129}} {
		s := newStory(t)
		s.policy(rule(s.a, s.b, v.proto, 0))
		send := func(from *end, kind uint8, id uint16) []byte {
			if v.proto == filter.ICMPv6 {
				return packet(from.addr6, s.other(from).addr6, v.proto, icmp(kind, 0, id))
			}
			return packet(from.addr, s.other(from).addr, v.proto, icmp(kind, 0, id))
		}
		s.dropped(s.b, send(s.b, v.reply, 7), "out: no_rule")
		s.arrives(s.a, send(s.a, v.request, 7))
		s.arrives(s.b, send(s.b, v.reply, 7))
		s.dropped(s.b, send(s.b, v.reply, 8), "out: no_rule")
		s.dropped(s.b, send(s.b, v.request, 7), "out: no_rule") // asks itself
		s.arrives(s.b, send(s.b, v.reply, 7))
		s.pass(61 * time.Second)
		s.dropped(s.b, send(s.b, v.reply, 7), "out: no_rule")
	}
}

func TestBothEndsMayPingEachOtherWithOneNumber(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.ICMP, 0), rule(s.b, s.a, filter.ICMP, 0))
	for _, e := range []*end{s.a, s.b} {
		s.arrives(e, s.send(e, filter.ICMP, icmp(8, 0, 5)))
	}
	for _, e := range []*end{s.a, s.b} {
		s.arrives(e, s.send(e, filter.ICMP, icmp(0, 0, 5)))
	}
	s.a.wants(t, "flows", s.a.Counters().Flows, 2)
}

func TestASynOfTheOtherEndIsNoAnswer(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	s.connect(s.a, 40000, 443)
	s.dropped(s.b, s.tcp(s.b, 443, 40000, syn), "out: no_rule")
	s.arrives(s.a, s.tcp(s.a, 40000, 443, ack)) // and the connection stands
	s.arrives(s.b, s.tcp(s.b, 443, 40000, ack))
	s.policy(rule(s.a, s.b, filter.TCP, 443), rule(s.b, s.a, filter.TCP, 40000))
	s.arrives(s.b, s.tcp(s.b, 443, 40000, rst))
	s.connect(s.b, 443, 40000) // the other way round, as the rules allow it
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	s.dropped(s.a, s.tcp(s.a, 40000, 443, ack), "out: no_rule")
}

func TestBothMayOpenAtOnce(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.TCP, 179))
	one, two := s.tcp(s.a, 179, 179, syn), s.tcp(s.b, 179, 179, syn)
	if !s.a.Out(s.now, one, len(one), false) || !s.b.In(s.now, one, len(one), false) {
		t.Fatal("the first is not allowed")
	}
	s.arrives(s.b, two)
	s.arrives(s.a, s.tcp(s.a, 179, 179, synAck))
	s.arrives(s.b, s.tcp(s.b, 179, 179, synAck))
	s.arrives(s.a, s.tcp(s.a, 179, 179, ack))
	s.dropped(s.b, two, "out: no_rule")
}

func TestSegmentsThatTCPNeverSendsAreDropped(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false})
	s.connect(s.a, 40000, 443)
	for _, flags := range []uint8{0, filter.FIN, 0x29, filter.SYN | filter.FIN, filter.SYN | filter.RST, filter.SYN | filter.ACK | filter.FIN, 8} {
		s.dropped(s.a, s.tcp(s.a, 40000, 443, flags), "out: malformed")
		s.dropped(s.a, s.tcp(s.a, 40001, 443, flags), "out: malformed")
	}
}

func TestAPolicyChangeCutsARunningConnection(t *testing.T) {
	s := newStory(t)
	open := []allow{rule(s.a, s.b, filter.TCP, 443), rule(s.a, s.b, filter.UDP, 53)}
	s.policy(open...)
	s.connect(s.a, 40000, 443)
	s.arrives(s.a, s.send(s.a, filter.UDP, udp(1024, 53, 9)))
	s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 1024, 9)))
	for _, e := range []*end{s.a, s.b} { // one end is enough
		s.policyAt(e)
		at := map[*end][]string{s.a: {"out: no_rule", "in: no_rule"}, s.b: {"in: no_rule", "out: no_rule"}}[e]
		for range 3 {
			s.dropped(s.a, s.tcp(s.a, 40000, 443, ack), at[0])
			s.dropped(s.b, s.tcp(s.b, 443, 40000, ack), at[1])
			s.dropped(s.b, s.send(s.b, filter.UDP, udp(53, 1024, 9)), at[1])
			s.dropped(s.a, s.send(s.a, filter.UDP, udp(1024, 53, 9)), at[0])
		}
		s.policyAt(e, open...) // and it goes on where policy lets it
		s.arrives(s.b, s.tcp(s.b, 443, 40000, ack))
		s.arrives(s.a, s.tcp(s.a, 40000, 443, ack))
		s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 1024, 9)))
	}
}

func TestACutConnectionDoesNotComeBackThroughTheOtherDirection(t *testing.T) {
	s := newStory(t)
	back := allow{s.b, s.a, filter.TCP, 0, 65535, false}
	s.policy(rule(s.a, s.b, filter.TCP, 443), back)
	s.connect(s.a, 40000, 443)
	s.policy(back)
	for _, forget := range []bool{false, true} {
		if forget {
			s.a.Table, s.b.Table = New(Config{}), New(Config{})
			s.policy(back)
		}
		s.dropped(s.a, s.tcp(s.a, 40000, 443, ack), "out: no_rule")
		s.dropped(s.b, s.tcp(s.b, 443, 40000, ack), "out: no_rule")
		s.dropped(s.b, s.tcp(s.b, 443, 40000, synAck), "out: no_rule")
		s.dropped(s.b, s.tcp(s.b, 443, 40000, finAck), "out: no_rule")
	}
	s.connect(s.b, 443, 40000) // what the rule is about
}

func TestAConnectionOutlivesARestart(t *testing.T) {
	for _, first := range []string{"client", "server"} {
		for _, forgetful := range []string{"client", "server", "both"} {
			s := newStory(t)
			rules := []allow{rule(s.a, s.b, filter.TCP, 443)}
			s.policy(rules...)
			s.connect(s.a, 40000, 443)
			if forgetful != "server" {
				s.a.Table = New(Config{})
			}
			if forgetful != "client" {
				s.b.Table = New(Config{})
			}
			s.policy(rules...)
			talk := []func(){func() { s.arrives(s.a, s.tcp(s.a, 40000, 443, ack)) }, func() { s.arrives(s.b, s.tcp(s.b, 443, 40000, ack)) }}
			if first == "server" {
				talk[0], talk[1] = talk[1], talk[0]
			}
			for range 3 {
				talk[0]()
				talk[1]()
			}
			s.pass(2 * time.Hour) // it is settled again
			s.arrives(s.b, s.tcp(s.b, 443, 40000, ack))
		}
	}
}

func TestPortsTellWhoOpened(t *testing.T) {
	for name, c := range map[string]struct {
		src, dst uint16
		forward  bool // a's segment passes by the rule that lets a open
	}{
		"from high to low":  {40000, 443, true},
		"from low to high":  {443, 40000, false},
		"both high":         {40000, 50000, true},
		"both low":          {1000, 2000, true},
		"at the border":     {32768, 32767, true},
		"at the border too": {32767, 32768, false},
	} {
		s := newStory(t)
		s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false})
		if why := s.carries(s.a, s.tcp(s.a, c.src, c.dst, ack)); (why == "") != c.forward {
			t.Errorf("%s: %q", name, why)
		}
	}
}

func TestAResetOfNothingPassesAndMakesNothing(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	s.arrives(s.a, s.tcp(s.a, 40000, 443, rst))
	s.arrives(s.b, s.tcp(s.b, 443, 40000, rst|ack))
	s.dropped(s.b, s.tcp(s.b, 22, 40000, rst|ack), "out: no_rule")
	s.a.wants(t, "flows", s.a.Counters().Flows, 0)
}

func TestFlowsAreForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(s *story)
		idle  time.Duration
	}{
		"a question":        {func(s *story) { s.arrives(s.a, s.send(s.a, filter.UDP, udp(5, 53, 1))) }, 2 * time.Minute},
		"a conversation":    {func(s *story) { say(s) }, 5 * time.Minute},
		"another protocol":  {func(s *story) { s.arrives(s.a, s.send(s.a, 47, []byte{1})) }, 10 * time.Minute},
		"a SYN":             {func(s *story) { s.arrives(s.a, s.tcp(s.a, 40000, 443, syn)) }, 2 * time.Minute},
		"a connection":      {func(s *story) { s.connect(s.a, 40000, 443) }, 124 * time.Minute},
		"half a connection": {func(s *story) { s.connect(s.a, 40000, 443); s.arrives(s.a, s.tcp(s.a, 40000, 443, finAck)) }, 4 * time.Minute},
		"the end of a connection": {func(s *story) {
			s.connect(s.a, 40000, 443)
			s.arrives(s.a, s.tcp(s.a, 40000, 443, finAck))
			s.arrives(s.b, s.tcp(s.b, 443, 40000, finAck))
		}, 10 * time.Second},
		"a reset": {func(s *story) { s.connect(s.a, 40000, 443); s.arrives(s.b, s.tcp(s.b, 443, 40000, rst)) }, 10 * time.Second},
	} {
		s := newStory(t)
		rules := []allow{rule(s.a, s.b, filter.TCP, 443), rule(s.a, s.b, filter.UDP, 53), rule(s.a, s.b, 47, 0)}
		s.policy(rules...)
		c.begin(s)
		s.a.wants(t, name, s.a.Counters().Flows, 1)
		s.pass(c.idle)
		for _, more := range []struct {
			wait time.Duration
			left int
		}{{0, 1}, {2 * time.Second, 0}} {
			s.pass(more.wait)
			for i := range s.a.shards {
				s.a.shards[i].latest = tickOf(s.now)
			}
			s.a.wants(t, name+" after "+more.wait.String(), s.a.Counters().Flows, more.left)
		}
	}
}

func say(s *story) {
	s.arrives(s.a, s.send(s.a, filter.UDP, udp(5, 53, 1)))
	s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 5, 1)))
}

func TestWhatIsUsedIsNotForgotten(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	say(s)
	for range 100 {
		s.pass(4 * time.Minute)
		s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 5, 1)))
	}
	s.a.wants(t, "expired", s.a.Counters().Expired, 0)
}

// A peer that sends in the name of others than itself is refused by the tunnel; behind a router it may use any address of the route.
func TestSpoofedSourcesOpenNothing(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	s.connect(s.a, 40000, 443)
	own := s.tcp(s.a, 40000, 443, ack) // back from the network, as if we had sent it
	if s.a.In(s.now, own, len(own), false) {
		t.Error("our own packet comes in")
	}
	answer := s.tcp(s.b, 443, 40000, ack)
	if s.a.Out(s.now, answer, len(answer), false) {
		t.Error("the other's packet goes out")
	}
	stranger := packet(behind.Addr().Next(), s.a.addr, filter.TCP, tcp(443, 40000, ack|filter.SYN))
	before := s.a.Counters().Flows
	for range 1000 {
		stranger[14]++
		s.a.In(s.now, stranger, len(stranger), false)
	}
	stranger = packet(s.b.addr.Next(), s.a.addr, filter.TCP, tcp(443, 40000, ack))
	s.dropped(s.b, stranger, "out: unknown_source")
	if s.a.In(s.now, stranger, len(stranger), false) {
		t.Error("nobody's packet comes in")
	}
	if n := s.a.Counters().Flows - before; n > 256 {
		t.Errorf("%d flows of 256 sources", n)
	}
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	parts := s.whole(s.a, false, 53, 1)
	s.arrives(s.a, parts[0])
	if s.a.In(s.now, parts[1], len(parts[1]), false) {
		t.Error("a fragment of our own comes in")
	}
}
