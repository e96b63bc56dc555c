package flow

import (
	"testing"

	"github.com/cvlan/cvlan/policy/filter"
)

// A slot holds addresses of IPv4 itself, and no more than the ends of those of IPv6: they are told apart by all their bits.
func TestASlotTellsAddressesApart(t *testing.T) {
	keys := []key{
		{0, filter.Mapped4 | 1, 0, filter.Mapped4 | 2, 7 << 32},
		{0, 1, 0, 2, 7<<32 | six},
		{1, 1, 0, 2, 7<<32 | six},
		{0, 1, 1, 2, 7<<32 | six},
		{0, 1<<32 | 1, 0, 2, 7<<32 | six},
		{0, 1, 0, 1<<63 | 2, 7<<32 | six},
	}
	b := newBody(2)
	for i := range keys {
		for j := range keys { // each where the one before was
			b.put(5, &keys[j], moodOf(uint32(i), state(settled)), tick(j))
			for n := range keys {
				if got := b.is(5, &keys[n]); got != (n == j) {
					t.Fatalf("%x is %x: %v", keys[j], keys[n], got)
				}
			}
			if k := b.key(5); k != keys[j] {
				t.Fatalf("%x, want %x", k, keys[j])
			}
		}
	}
	if only := newBody(2); only.far(0, &keys[1]) {
		t.Error("a flow of IPv6 where none has come")
	}
}

// Flows of both families come to a table that grows: each is found afterwards, and addresses of IPv6 take memory only where some are.
func TestBothFamiliesLiveTogether(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.UDP, 0, 65535, false})
	const each = 3000
	s.arrives(s.a, s.send(s.a, filter.UDP, udp(1, 53, 8)))
	for i := range s.a.shards {
		if s.a.shards[i].body.Load().long.Load() != nil {
			t.Error("memory for IPv6 before any has come")
		}
	}
	for i := range uint16(each) {
		s.arrives(s.a, s.send(s.a, filter.UDP, udp(i, 53, 8)))
		s.arrives(s.a, packet(s.a.addr6, s.b.addr6, filter.UDP, udp(i, 53, 8)))
	}
	for i := range s.a.shards {
		s.a.shards[i].check(t, s.a.Table)
	}
	s.a.wants(t, "flows", s.a.Counters().Flows, 2*each)
	for i := range uint16(each) {
		s.arrives(s.b, packet(s.b.addr6, s.a.addr6, filter.UDP, udp(53, i, 8)))
	}
	s.a.wants(t, "flows", s.a.Counters().Flows, 2*each)
}
