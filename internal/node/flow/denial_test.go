package flow

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

func TestDenialsSayWhatAndWhy(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.TCP, 22, 22, true}, rule(s.a, s.b, filter.TCP, 443))
	s.dropped(s.a, s.tcp(s.a, 40000, 22, syn), "out: denied")
	s.dropped(s.a, s.tcp(s.a, 40000, 23, syn), "out: no_rule")
	s.dropped(s.b, s.send(s.b, filter.ICMP, icmp(8, 0, 77)), "out: no_rule")
	s.dropped(s.b, s.tcp(s.b, 22, 40000, ack), "out: denied")
	all, next := s.a.Denials(0)
	if len(all) != 2 || next != 2 || !all[0].ByRule || all[0].Rule != 0 || all[1].ByRule || all[0].In || all[0].Reason != filter.Denied ||
		all[1].DstPort != 23 || all[1].Src != s.a.addr || all[1].Proto != filter.TCP || all[0].At.IsZero() {
		t.Errorf("%+v %d", all, next)
	}
	all, _ = s.b.Denials(0)
	if len(all) != 2 || all[0].Type != 8 || all[0].SrcPort != 0 || !all[1].ByRule || all[1].SrcPort != 22 {
		t.Errorf("%+v", all)
	}
	noise := []byte{0x70, 1}
	s.a.In(s.now, noise, len(noise), false)
	if all, _ = s.a.Denials(next); len(all) != 1 || all[0].Src.IsValid() || !all[0].In || all[0].Reason != filter.Truncated && all[0].Reason != filter.NotIP {
		t.Errorf("%+v", all)
	}
}

func TestASourceIsToldOfInMeasure(t *testing.T) {
	s := newStory(t)
	s.a.seed = [5]uint64{1, 2, 3, 4, 5} // with which the two sources have not the same purse
	s.policy()
	for port := range uint16(1000) {
		s.dropped(s.a, s.tcp(s.a, 40000, port, syn), "out: no_rule")
	}
	all, next := s.a.Denials(0)
	if len(all) != allowed || s.a.Counters().Missed != 1000-allowed {
		t.Errorf("%d told, %d missed", len(all), s.a.Counters().Missed)
	}
	s.pass(time.Second)
	other := packet(netip.MustParseAddr("10.9.9.9"), s.a.addr, filter.UDP, udp(1, 2, 3))
	s.a.In(s.now, other, len(other), false)
	s.dropped(s.a, s.tcp(s.a, 40000, 9, syn), "out: no_rule")
	if all, _ = s.a.Denials(next); len(all) != 2 || all[1].Missed != 1000-allowed || all[0].Missed != 0 {
		t.Errorf("%+v", all)
	}
}

func TestAClockThatStandsGivesNoCoins(t *testing.T) {
	var d denials
	for i := range 20 {
		now := tick(1000 - i%2) // workers read the clock at different moments
		if _, ok := d.spend(1, now); ok != (i < allowed) {
			t.Errorf("denial %d told: %v", i, ok)
		}
	}
}

func TestTheRuleThatCutsAFlowIsTold(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	say(s)
	s.policy(allow{s.a, s.b, filter.UDP, 53, 53, true}, allow{s.b, s.a, filter.UDP, 9, 9, true})
	s.dropped(s.b, s.send(s.b, filter.UDP, udp(53, 5, 1)), "out: denied")
	s.dropped(s.a, s.send(s.a, filter.UDP, udp(5, 53, 1)), "out: denied")
	for _, e := range []*end{s.a, s.b} {
		if all, _ := e.Denials(0); len(all) != 1 || !all[0].ByRule || all[0].Rule != 0 {
			t.Errorf("%+v", all)
		}
	}
	s.policy(allow{s.a, s.b, filter.UDP, 53, 53, true}, rule(s.b, s.a, filter.UDP, 5))
	s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 5, 1))) // the other way round it is allowed
	s.arrives(s.a, s.send(s.a, filter.UDP, udp(5, 53, 1)))
}

// A rule's number means something in one document only: what was denied by an older one is told with that.
func TestADenialNamesTheDocumentOfItsRule(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.TCP, 22, 22, true})
	s.dropped(s.a, s.tcp(s.a, 40000, 22, syn), "out: denied")
	s.policy(rule(s.a, s.b, filter.TCP, 443), allow{s.a, s.b, filter.TCP, 22, 22, true})
	s.dropped(s.a, s.tcp(s.a, 40001, 22, syn), "out: denied")
	s.dropped(s.a, s.tcp(s.a, 40001, 23, syn), "out: no_rule")
	all, _ := s.a.Denials(0)
	if len(all) != 3 || all[0].Generation == 0 || all[1].Generation != all[0].Generation+1 || all[1].Rule != 1 || all[2].Generation != 0 {
		t.Errorf("%+v", all)
	}
}

func TestOldDenialsAreForgotten(t *testing.T) {
	s := newStory(t)
	s.policy()
	for i := range Remembered * 2 {
		s.dropped(s.a, s.tcp(s.a, 40000, uint16(i), syn), "out: no_rule")
		s.pass(time.Second)
	}
	for since, want := range map[uint64]int{0: Remembered, Remembered + 5: Remembered - 5, 2 * Remembered: 0, 99999: Remembered} {
		all, next := s.a.Denials(since)
		if len(all) != want || next != 2*Remembered {
			t.Errorf("since %d: %d, next %d", since, len(all), next)
		}
		if n := len(all); n > 0 && all[n-1].DstPort != 2*Remembered-1 {
			t.Errorf("the last is of port %d", all[n-1].DstPort)
		}
	}
}

func TestRulesAreCounted(t *testing.T) {
	s := newStory(t)
	rules := []allow{{s.a, s.b, filter.TCP, 22, 22, true}, rule(s.a, s.b, filter.TCP, 443), rule(s.b, s.a, filter.TCP, 1)}
	s.policy(rules...)
	for i := range uint16(3) {
		s.connect(s.a, 40000+i, 443)
		s.dropped(s.a, s.tcp(s.a, 40000+i, 22, syn), "out: denied")
	}
	s.a.wants(t, "counted", s.a.Counters().Rules, []RuleCount{{0, 0, 3}, {1, 3, 0}})
	s.b.wants(t, "counted", s.b.Counters().Rules, []RuleCount{{1, 3, 0}})
	s.a.generation-- // a window opens: the same document
	s.policyAt(s.a, rules...)
	s.connect(s.a, 40000, 443)
	s.connect(s.a, 40009, 443)
	s.a.wants(t, "counted", s.a.Counters().Rules, []RuleCount{{0, 0, 3}, {1, 4, 0}})
	s.policyAt(s.a, rules...)
	s.a.wants(t, "counted of another generation", s.a.Counters().Rules, []RuleCount(nil))
	s.a.wants(t, "generation", s.a.Counters().Generation, s.a.generation)
}
