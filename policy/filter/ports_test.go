package filter

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Lists of any length that may begin before a protocol and end behind it: of each of its ports their bits say what a search says.
func TestPortsSayWhatASearchSays(t *testing.T) {
	const room, beyond = math.MaxUint16 / 2, 70_000
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		first := []uint32{0, room - 50, room - 25, beyond - 50}[seed%4] // in half of them there are rules for which ports have no room
		var list []Span
		for at := uint32(r.IntN(TCP<<16 + 100)); len(list) < 300 && at < (UDP+1)<<16+500; {
			x := Span{First: at, Last: at + uint32(r.IntN(1<<(1+r.IntN(14)))), Rule: first + uint32(r.IntN(50)), Deny: r.IntN(3) == 0}
			list = append(list, x)
			if at = x.Last + 1; r.IntN(2) == 0 {
				at += uint32(r.IntN(1 << (1 + r.IntN(12))))
			}
			if r.IntN(30) == 0 && at < UDP<<16-50 {
				at = UDP<<16 - 50
			}
		}
		rules := make([]uint32, beyond)
		for i := range rules {
			rules[i] = uint32(i)
		}
		a := newRanges(list, rules)
		a.tcp, a.udp = newPorts(a.spans, TCP), newPorts(a.spans, UDP)
		if roomy := seed%4 < 2; roomy && a.tcp == nil || !roomy && a.tcp != nil && a.udp != nil {
			t.Fatalf("seed %d: ports of TCP %v, of UDP %v", seed, a.tcp != nil, a.udp != nil)
		}
		plain := ranges{spans: a.spans}
		for _, proto := range []uint32{TCP, UDP} {
			for port := range uint32(1 << 16) {
				if got, want := a.judge(proto<<16|port), plain.judge(proto<<16|port); got != want {
					t.Fatalf("seed %d: port %d of %d: %x, want %x", seed, port, proto, got, want)
				}
			}
		}
	}
}

// Only long lists take the memory that ports need.
func TestShortListsHaveNoPorts(t *testing.T) {
	for _, n := range []int{0, 1, long - 1, long} {
		var list []Span
		for i := range uint32(n) {
			list = append(list, Span{First: TCP<<16 + 2*i, Last: TCP<<16 + 2*i, Rule: 1})
		}
		if a := newRanges(list, []uint32{1}); (a.tcp != nil) != (n >= long) {
			t.Errorf("%d spans: ports %v", n, a.tcp != nil)
		}
	}
}
