package flow

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

// whole is a datagram from one end in its fragments of 80 bytes, IPv4 or IPv6.
func (s *story) whole(from *end, six bool, port, id uint16) (parts [][]byte) {
	b := packet(from.addr, s.other(from).addr, filter.UDP, udp(5000, port, 400-8))
	if six {
		b = packet(from.addr6, s.other(from).addr6, filter.UDP, udp(5000, port, 400-8))
	}
	for at := 0; at < 400; at += 80 {
		parts = append(parts, fragmentOf(b, at, at+80, id))
	}
	return parts
}

func TestFragmentsFollowTheFirst(t *testing.T) {
	for _, six := range []bool{false, true} {
		s := newStory(t)
		s.policy(rule(s.a, s.b, filter.UDP, 53))
		good, bad := s.whole(s.a, six, 53, 1), s.whole(s.a, six, 54, 2)
		s.dropped(s.a, good[1], "out: later_fragment") // before the first
		for _, p := range good {
			s.arrives(s.a, p)
		}
		s.dropped(s.a, bad[0], "out: no_rule")
		s.dropped(s.a, bad[1], "out: later_fragment")
		s.dropped(s.b, s.whole(s.b, six, 53, 1)[1], "out: later_fragment") // the other direction
		s.arrives(s.b, s.answer(six, 9)[0])
		s.arrives(s.b, s.answer(six, 9)[1])
	}
}

// answer is b's answer to what a has asked, in fragments.
func (s *story) answer(six bool, id uint16) (parts [][]byte) {
	b := packet(s.b.addr, s.a.addr, filter.UDP, udp(53, 5000, 400-8))
	if six {
		b = packet(s.b.addr6, s.a.addr6, filter.UDP, udp(53, 5000, 400-8))
	}
	return [][]byte{fragmentOf(b, 0, 80, id), fragmentOf(b, 80, 400, id)}
}

func TestFragmentsMayOvertakeEachOtherBehindTheFirst(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	parts := s.whole(s.a, false, 53, 1)
	for _, i := range []int{0, 3, 1, 4, 2} {
		s.arrives(s.a, parts[i])
	}
	for _, p := range parts[1:] {
		s.dropped(s.a, p, "out: overlap_fragment")
	}
}

func TestFragmentsThatOverlapAreDropped(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	b := packet(s.a.addr, s.b.addr, filter.UDP, udp(5000, 53, 400-8))
	s.arrives(s.a, fragmentOf(b, 0, 80, 1))
	s.arrives(s.a, fragmentOf(b, 160, 240, 1))
	for _, at := range [][2]int{{8, 88}, {72, 80}, {72, 160}, {80, 168}, {160, 240}, {232, 400}, {168, 176}, {88, 400}} {
		s.dropped(s.a, fragmentOf(b, at[0], at[1], 1), "out: overlap_fragment")
	}
	s.arrives(s.a, fragmentOf(b, 80, 160, 1))
	s.arrives(s.a, fragmentOf(b, 240, 400, 1))
}

func TestTheFirstFragmentIsForgottenInTimeAndWithTheRules(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	parts := s.whole(s.a, false, 53, 1)
	s.arrives(s.a, parts[0])
	s.pass(29 * time.Second)
	s.arrives(s.a, parts[1])
	s.pass(2 * time.Second)
	s.dropped(s.a, parts[2], "out: later_fragment")
	s.arrives(s.a, parts[0])
	s.policyAt(s.b, rule(s.a, s.b, filter.UDP, 53))
	s.dropped(s.a, parts[1], "in: later_fragment")
}

func TestFragmentsNeedNoFirstWhereAllPortsAreAllowed(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.UDP, 0, 65535, false})
	s.arrives(s.a, s.whole(s.a, false, 53, 1)[3])
}

func TestManyFragmentedPacketsForgetTheOldest(t *testing.T) {
	s := newStory(t)
	s.policy(rule(s.a, s.b, filter.UDP, 53))
	const many = pails * pailSize * 4
	for id := range uint16(many) {
		s.arrives(s.a, s.whole(s.a, false, 53, id)[0])
	}
	first, last := 0, 0 // of the first quarter, and of all
	for id := range uint16(many) {
		if p := s.whole(s.a, false, 53, id)[1]; s.a.Out(s.now, p, len(p), false) {
			last++
			if id < many/4 {
				first++
			}
		}
	}
	if first > many/4/100 { // by the table's seed one may lie where few have come since
		t.Errorf("%d of the first %d are known still", first, many/4)
	}
	if last < pails*pailSize*9/10 || last > pails*pailSize {
		t.Errorf("%d of %d are known", last, pails*pailSize)
	}
}

// What take allows never overlaps, and what it refuses would, or has too many gaps.
func TestPiecesNeverOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		x := pieces{n: 1}
		x.spans[0] = span{0, uint16(1 + r.IntN(5))}
		var seen [64]bool
		for i := range x.spans[0].to {
			seen[i] = true
		}
		for range 40 {
			from := uint16(r.IntN(60))
			s := span{from, from + uint16(1+r.IntN(4))}
			overlaps := slices.Contains(seen[s.from:s.to], true)
			full := x.n == mostSpans
			if took := x.take(s); took && overlaps || !took && !overlaps && !full {
				t.Fatalf("%v taken=%v overlaps=%v of %+v", s, took, overlaps, x)
			} else if took {
				for i := s.from; i < s.to; i++ {
					seen[i] = true
				}
			}
			for i := range x.n {
				if i > 0 && x.spans[i].from <= x.spans[i-1].to || x.spans[i].to <= x.spans[i].from {
					t.Fatalf("out of order: %+v", x)
				}
			}
		}
	}
}
