package flow

import (
	"testing"

	"github.com/cvlan/cvlan/policy/filter"
)

// Where the rules want IPsec, what comes by anything else is dropped, also of a flow that is settled, and the flow goes on by IPsec.
func TestAPairThatNeedsIPsecTakesNothingElse(t *testing.T) {
	s := newStory(t)
	needs := func(e *end) {
		spec := s.spec(e, []allow{rule(s.a, s.b, filter.TCP, 443)})
		for i := range spec.In {
			spec.In[i].IPsec, spec.Out[i].IPsec = true, true
		}
		set, err := filter.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		e.Swap(set)
	}
	carry := func(from *end, b []byte, ipsec bool) bool {
		return from.Out(s.now, b, len(b), ipsec) && s.other(from).In(s.now, b, len(b), ipsec)
	}
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	s.connect(s.a, 50000, 443) // by WireGuard
	needs(s.a)
	needs(s.b)
	forth, back := s.tcp(s.a, 50000, 443, ack), s.tcp(s.b, 443, 50000, ack)
	for range 3 {
		for _, x := range []struct {
			from *end
			b    []byte
		}{{s.a, forth}, {s.b, back}} {
			if x.from.Out(s.now, x.b, len(x.b), false) || s.other(x.from).In(s.now, x.b, len(x.b), false) {
				t.Error("a bare packet of a settled flow passes")
			}
			if !carry(x.from, x.b, true) {
				t.Error("the flow does not go on by IPsec")
			}
		}
	}
	if carry(s.a, s.tcp(s.a, 50001, 443, syn), false) || !carry(s.a, s.tcp(s.a, 50001, 443, syn), true) {
		t.Error("a beginning is judged otherwise")
	}
	if n := s.a.Counters().DroppedOut[filter.NeedsIPsec.String()]; n != 4 {
		t.Errorf("%d are counted as in need of IPsec", n)
	}
	s.policy(rule(s.a, s.b, filter.TCP, 443))
	if !carry(s.a, forth, false) || !carry(s.b, back, false) {
		t.Error("without the need the flow does not go on")
	}
}
