package flow

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/policy/filter"
)

// packets takes a fuzzer's bytes apart: each packet has two bytes before it, its length and whether it goes out, and a pause.
func packets(data []byte) (all [][]byte) {
	for len(data) > 3 {
		n := min(2+int(binary.BigEndian.Uint16(data)&0x7ff), len(data)-2)
		all = append(all, data[1:2+n])
		data = data[2+n:]
	}
	return all
}

func recorded(all ...[]byte) (data []byte) {
	for i, b := range all {
		data = binary.BigEndian.AppendUint16(data, uint16(len(b)))
		data = append(append(data, byte(i), byte(i&1)), b...)
	}
	return data
}

// Whatever comes, in whatever order: nothing that cannot be taken apart passes, a glance finds what taking apart finds, and a Table that is
// never content with a glance decides the same.
func FuzzPackets(f *testing.F) {
	rig := newStory(&testing.T{})
	s := rig
	frag := s.whole(s.a, false, 53, 1)
	six := s.whole(s.a, true, 53, 1)
	conn := s.tcp(s.a, 40000, 443, syn)
	f.Add(recorded(conn, s.tcp(s.b, 443, 40000, synAck), s.tcp(s.a, 40000, 443, ack), about(s.b.addr, conn, 28), s.tcp(s.a, 40000, 443, ack), s.tcp(s.b, 443, 40000, finAck)), true)
	f.Add(recorded(frag[0], nil, frag[1], nil, frag[3], nil, frag[2], nil, frag[1]), true)
	f.Add(recorded(six[0], nil, six[4], nil, six[1]), true)
	f.Add(recorded(s.send(s.a, filter.ICMP, icmp(8, 0, 1)), s.send(s.b, filter.ICMP, icmp(0, 0, 1)), s.send(s.a, 47, []byte{1})), false)
	f.Add(recorded(packet(s.a.addr6, s.b.addr6, filter.TCP, tcp(40000, 443, ack)), packet(s.b.addr6, s.a.addr6, filter.UDP, udp(1, 53, 9))), true)
	f.Add(recorded(about(s.a.addr, about(s.b.addr, conn, 28), 90), about(s.b.addr6, six[0], 64), about(s.b.addr6, six[1], 64)), false)
	f.Fuzz(func(t *testing.T, data []byte, open bool) {
		s := *rig
		s.T = t
		quick, slow := New(Config{Flows: 256}), New(Config{Flows: 256})
		s.a.Table, s.a.generation = quick, 0
		last := uint16(100)
		if open {
			last = 65535
		}
		rules := []allow{{s.a, s.b, filter.TCP, 0, last, false}, {s.a, s.b, filter.UDP, 0, last, false}, {s.b, s.a, filter.TCP, 0, 50, true}}
		s.policyAt(s.a, rules...)
		slow.Swap(quick.rules.Load().set)
		for _, p := range packets(data) {
			how, b := p[0], p[1:]
			s.pass(time.Duration(how>>2) * 100 * time.Millisecond)
			out := how&1 != 0
			if how&2 != 0 && how&0x1c == 0 {
				s.policyAt(s.a, rules[how>>5&1:]...)
				slow.Swap(quick.rules.Load().set)
			}
			var k key
			var whole filter.Packet
			reason := whole.ParseHead(b, len(b))
			if flags, plain := glance(b, len(b), out, &k); plain && (reason != filter.Allowed || k != keyOfPacket(&whole, out) || flags != whole.Flags) {
				t.Fatalf("a glance at %x: %x, but it is %v %+v", b, k, reason, whole)
			}
			passed := quick.pass(s.now, out, b, len(b), false)
			if passed && reason != filter.Allowed {
				t.Fatalf("%x passes, though %v", b, reason)
			}
			q := question{t: slow, r: slow.rules.Load(), now: tickOf(s.now), out: out}
			if again := q.judge(b, len(b), new(key)); again != passed {
				t.Fatalf("%x out=%v passes=%v with a glance, without %v", b, out, passed, again)
			}
		}
		for i := range quick.shards {
			quick.shards[i].check(t, quick)
		}
	})
}

// Several workers, one that swaps, one that reads: every list is whole afterwards, and a connection that is always allowed never stumbles.
func TestWorkersDoNotDisturbEachOther(t *testing.T) {
	s := newStory(t)
	s.a.Table = New(Config{Flows: 8192})
	rules := []allow{{s.a, s.b, filter.TCP, 0, 65535, false}, rule(s.a, s.b, filter.UDP, 53)}
	s.policy(rules...)
	s.connect(s.a, 40000, 443)
	first, second := s.a.rules.Load().set, s.a.rules.Load().set
	steady := [2][]byte{s.tcp(s.a, 40000, 443, ack), s.tcp(s.b, 443, 40000, ack)}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			now := s.now
			opens := s.tcp(s.a, 1, 2, syn)
			for i := range 20_000 {
				now += mono.Time(time.Millisecond)
				if !s.a.Out(now, steady[0], len(steady[0]), false) || !s.a.In(now, steady[1], len(steady[1]), false) {
					t.Error("the connection is dropped")
					return
				}
				opens[20], opens[21], opens[22] = byte(i), byte(i>>8), byte(worker)
				s.a.Out(now, opens, len(opens), false)
			}
		})
	}
	all.Go(func() {
		for i := range 2000 {
			s.a.Swap([]*filter.Set{first, second}[i&1])
			s.a.Counters()
			s.a.Denials(0)
		}
	})
	all.Wait()
	for i := range s.a.shards {
		s.a.shards[i].check(t, s.a.Table)
	}
}
