package flow

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

// about makes an ICMP error from somebody about a packet, to its sender.
func about(from netip.Addr, b []byte, keep int) []byte {
	quoted := b[:min(keep, len(b))]
	if b[0]>>4 == 4 {
		return packet(from, netip.AddrFrom4([4]byte(b[12:])), filter.ICMP, icmp(3, 1, 0, quoted...))
	}
	return packet(from, netip.AddrFrom16([16]byte(b[8:])), filter.ICMPv6, icmp(1, 0, 0, quoted...))
}

func TestAnErrorAboutAFlowPasses(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.ICMP, 0), rule(s.a, s.b, filter.TCP, 443), rule(s.a, s.b, filter.UDP, 53))
	router := netip.MustParseAddr("192.168.9.9") // anywhere behind b
	for name, sent := range map[string][]byte{
		"tcp":    s.tcp(s.a, 40000, 443, syn),
		"udp":    packet(s.a.addr, router.Next(), filter.UDP, udp(1, 53, 50)),
		"udp6":   packet(s.a.addr6, s.b.addr6, filter.UDP, udp(1, 53, 50)),
		"a ping": s.send(s.a, filter.ICMP, icmp(8, 0, 3)),
	} {
		from := router
		if sent[0]>>4 == 6 {
			from = s.b.addr6
		}
		s.dropped(s.b, about(from, sent, 48), "out: no_rule")
		s.arrives(s.a, sent)
		s.arrives(s.b, about(from, sent, 48))
		if s.Failed() {
			s.Fatal(name)
		}
	}
	s.arrives(s.b, about(s.b.addr, s.tcp(s.a, 40000, 443, syn), 28)) // again, by another
	s.arrives(s.b, s.tcp(s.b, 443, 40000, synAck))                   // and the sender may be told the same of an answer
	s.arrives(s.a, about(s.a.addr, s.tcp(s.b, 443, 40000, synAck), 28))
}

func TestAnErrorAboutNothingNeedsARule(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	sent := s.tcp(s.a, 40000, 443, syn)
	s.arrives(s.a, sent)
	elsewhere := about(s.b.addr, sent, 28)
	copy(elsewhere[16:], s.a.addr.Next().AsSlice())
	for name, b := range map[string][]byte{
		"another port":     about(s.b.addr, s.tcp(s.a, 40001, 443, syn), 28),
		"its own packet":   packet(s.b.addr, s.a.addr, filter.ICMP, icmp(3, 1, 0, s.tcp(s.b, 443, 40000, ack)...)),
		"cut off":          about(s.b.addr, sent, 27),
		"nothing":          about(s.b.addr, sent, 0),
		"an error":         about(s.b.addr, about(s.a.addr, s.tcp(s.b, 443, 40000, ack), 28), 56),
		"a later fragment": about(s.b.addr, fragmentOf(packet(s.a.addr, s.b.addr, filter.UDP, udp(1, 53, 100)), 80, 100, 1), 28),
		"noise":            about(s.b.addr, append([]byte{0x4f}, sent[1:]...), 40),
	} {
		if why := s.carries(s.b, b); why != "out: no_rule" {
			t.Errorf("%s: %q", name, why)
		}
	}
	s.dropped(s.b, elsewhere, "out: unknown_destination")
	if !s.b.Out(s.now, about(s.b.addr, sent, 28), 56, false) {
		t.Error("the right one")
	}
	s.policyAt(s.a) // what is cut is not told about either
	s.dropped(s.b, about(s.b.addr, sent, 28), "in: no_rule")
	s.policy(rule(s.b, s.a, filter.ICMP, 0))
	s.arrives(s.b, about(s.b.addr, s.tcp(s.a, 40009, 443, syn), 28))
	s.arrives(s.b, s.send(s.b, filter.ICMP, icmp(13, 0, 1)))
	s.arrives(s.b, s.send(s.b, filter.ICMP, icmp(0, 0, 1)))
	s.b.wants(t, "flows", s.b.Counters().Flows, 1)
}

func TestAnErrorKeepsNoFlowAlive(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	sent := s.send(s.a, filter.UDP, udp(1, 53, 50))
	s.arrives(s.a, sent)
	for range 2 {
		s.pass(time.Minute - time.Second)
		s.arrives(s.b, about(s.b.addr, sent, 28))
	}
	s.pass(4 * time.Second)
	s.dropped(s.b, about(s.b.addr, sent, 28), "out: no_rule")
}
