package flow

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

// Where the rules want IPsec, what comes by anything else is dropped, also of a flow that is settled, and the flow goes on by IPsec.
func TestAPairThatNeedsIPsecTakesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t)
		s.policy(rule(s.a, s.b, filter.TCP, 443))
		s.connect(s.a, 50000, 443) // by WireGuard
		s.needs(rule(s.a, s.b, filter.TCP, 443))
		time.Sleep(Notice)
		synctest.Wait()
		forth, back := s.tcp(s.a, 50000, 443, ack), s.tcp(s.b, 443, 50000, ack)
		for range 3 {
			for _, x := range []struct {
				from *end
				b    []byte
			}{{s.a, forth}, {s.b, back}} {
				if s.sends(x.from, x.b, false) || s.comes(x.from, x.b, false) {
					t.Error("a bare packet of a settled flow passes")
				}
				if !s.sends(x.from, x.b, true) || !s.comes(x.from, x.b, true) {
					t.Error("the flow does not go on by IPsec")
				}
			}
		}
		if another := s.tcp(s.a, 50001, 443, syn); s.sends(s.a, another, false) || s.comes(s.a, another, false) || !s.sends(s.a, another, true) || !s.comes(s.a, another, true) {
			t.Error("a beginning is judged otherwise")
		}
		if n := s.a.Counters().DroppedOut[filter.NeedsIPsec.String()]; n != 4 {
			t.Errorf("%d are counted as in need of IPsec", n)
		}
		s.policy(rule(s.a, s.b, filter.TCP, 443))
		if !s.sends(s.a, forth, false) || !s.comes(s.a, forth, false) || !s.sends(s.b, back, false) || !s.comes(s.b, back, false) {
			t.Error("without the need the flow does not go on")
		}
	})
}

// The other end may hear a moment later that IPsec is needed. What it has sent by then passes, if it did before; nothing leaves otherwise at once.
func TestWhoHasNotHeardThatIPsecIsNeededIsHeardForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t)
		s.needs() // nothing is allowed, and what is not was never
		s.policy(rule(s.a, s.b, filter.TCP, 443), rule(s.a, s.b, filter.UDP, 53))
		s.connect(s.a, 50000, 443)
		s.needs(rule(s.a, s.b, filter.TCP, 443), rule(s.a, s.b, filter.TCP, 444))
		forth, back, more := s.tcp(s.a, 50000, 443, ack), s.tcp(s.b, 443, 50000, ack), s.tcp(s.a, 50001, 443, syn)
		time.Sleep(Notice / 2)
		s.needs(rule(s.a, s.b, filter.TCP, 443), rule(s.a, s.b, filter.TCP, 444)) // a map that says it again neither ends the moment nor makes it longer
		time.Sleep(Notice/2 - 1)
		synctest.Wait()
		if s.sends(s.a, forth, false) || s.sends(s.b, back, false) || s.sends(s.a, more, false) {
			t.Error("a bare packet leaves")
		}
		if !s.comes(s.a, forth, false) || !s.comes(s.b, back, false) || !s.comes(s.a, more, false) {
			t.Error("a bare packet of a peer that has not heard is dropped")
		}
		if s.comes(s.a, s.tcp(s.a, 50002, 444, syn), false) {
			t.Error("what was not allowed before comes bare")
		}
		if s.comes(s.a, s.send(s.a, filter.UDP, udp(50003, 53, 8)), false) {
			t.Error("what is not allowed any more comes bare")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if s.comes(s.a, forth, false) || s.comes(s.b, back, false) || s.comes(s.a, more, false) {
			t.Error("a bare packet passes after the moment")
		}
	})
}

// needs puts a policy in force that allows what is listed by IPsec only.
func (s *story) needs(allowed ...allow) {
	s.Helper()
	for _, e := range []*end{s.a, s.b} {
		spec := s.spec(e, allowed)
		for i := range spec.In {
			spec.In[i].IPsec, spec.Out[i].IPsec = true, true
		}
		set, err := filter.New(spec)
		if err != nil {
			s.Fatal(err)
		}
		e.Swap(set)
	}
}

func (s *story) sends(from *end, b []byte, ipsec bool) bool { return from.Out(s.now, b, len(b), ipsec) }

func (s *story) comes(from *end, b []byte, ipsec bool) bool {
	return s.other(from).In(s.now, b, len(b), ipsec)
}
