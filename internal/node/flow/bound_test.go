package flow

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

func TestAPortScanEvictsNoConnection(t *testing.T) {
	s := newStory(t)
	s.a.Table, s.b.Table = New(Config{Flows: 4096}), New(Config{Flows: 4096})
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false}, allow{s.a, s.b, filter.UDP, 0, 65535, false})
	for i := range uint16(1000) {
		s.connect(s.a, 40000+i, 443)
	}
	s.pass(time.Hour)
	for port := range uint16(30000) { // SYNs to everything, and datagrams; every tenth is refused
		s.arrives(s.a, s.tcp(s.a, 39999, port, syn))
		s.arrives(s.a, s.send(s.a, filter.UDP, udp(39999, port, 8)))
		if port%10 == 0 {
			s.arrives(s.b, s.tcp(s.b, port, 39999, rst|ack))
		}
	}
	c := s.a.Counters()
	if c.Flows > 4096 || c.Flows < 3500 || c.Evicted < 50000 {
		t.Errorf("%+v", c)
	}
	for _, e := range []*end{s.a, s.b} {
		for i := range e.shards {
			e.shards[i].check(t, e.Table)
		}
		known := 0
		for i := range uint16(1000) {
			k := keyOfPacket(&filter.Packet{Src: filter.AddressOf(s.a.addr), Dst: filter.AddressOf(s.b.addr), SrcPort: 40000 + i, DstPort: 443, Proto: filter.TCP}, true)
			if e == s.b {
				k = keyOfPacket(&filter.Packet{Src: filter.AddressOf(s.a.addr), Dst: filter.AddressOf(s.b.addr), SrcPort: 40000 + i, DstPort: 443, Proto: filter.TCP}, false)
			}
			hash := k.hash(&e.seed)
			if _, _, ok := e.shard(hash).glimpse(&k, hash); ok {
				known++
			}
		}
		e.wants(t, "connections that are known", known, 1000)
	}
}

func TestConnectionsMakeRoomForEachOther(t *testing.T) {
	s := newStory(t)
	s.a.Table = New(Config{Flows: 256})
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false}, rule(s.a, s.b, filter.UDP, 53))
	for i := range uint16(2000) {
		s.connect(s.a, 40000+i, 443)
		s.pass(time.Second)
	}
	for range 20 { // a conversation gets a place among them, and keeps it
		s.arrives(s.a, s.send(s.a, filter.UDP, udp(5, 53, 1)))
		s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 5, 1)))
		s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 5, 1)))
		s.pass(2 * time.Second)
	}
	s.arrives(s.a, s.tcp(s.a, 41999, 443, ack)) // the newest stands
	if c := s.a.Counters(); c.Flows > 256 || c.Evicted < 1700 {
		t.Errorf("%+v", c)
	}
}

func TestQuestionsFindRoomAmongConnections(t *testing.T) {
	s := newStory(t)
	s.a.Table = New(Config{Flows: 4096})
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false}, rule(s.a, s.b, filter.UDP, 53))
	for i := range uint16(8192) {
		s.connect(s.a, 40000+i, 443)
	}
	for i := range uint16(64) {
		s.arrives(s.a, s.send(s.a, filter.UDP, udp(1000+i, 53, 1)))
	}
	for i := range uint16(64) {
		s.arrives(s.b, s.send(s.b, filter.UDP, udp(53, 1000+i, 1)))
	}
}

func TestMemoryGrowsWithFlowsUpToTheBound(t *testing.T) {
	s := newStory(t)
	s.a.Table = New(Config{Flows: 5000})
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false})
	slots := func() (n int) {
		for i := range s.a.shards {
			b := s.a.shards[i].body.Load()
			n += len(b.slots)
			if len(b.slots) != ways*len(b.buckets) {
				t.Fatalf("%d slots for %d buckets", len(b.slots), len(b.buckets))
			}
		}
		return n
	}
	if n := slots(); n > 1000 {
		t.Errorf("%d slots for no flow", n)
	}
	for i := range uint16(1000) {
		s.connect(s.a, 40000+i, 443)
		s.arrives(s.a, s.tcp(s.a, 40000+i/2, 443, ack)) // those before are where they were
	}
	if n := slots(); n < 1000 || n > 4000 {
		t.Errorf("%d slots for 1000 flows", n)
	}
	for i := range uint16(20_000) {
		s.arrives(s.a, s.tcp(s.a, 10000+i, 80, syn))
	}
	if n := slots(); n != 8192 {
		t.Errorf("%d slots for 5000 flows", n)
	}
	for i := range s.a.shards {
		s.a.shards[i].check(t, s.a.Table)
	}
}

// Flows that are idle for too long give their places to those that come: who opens little uses little memory for however long it does.
func TestWhatIsForgottenMakesRoom(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false})
	for i := range uint16(20_000) {
		s.arrives(s.a, s.tcp(s.a, i, 80, syn))
		s.pass(time.Second)
	}
	c := s.a.Counters()
	if c.Flows < 120 || c.Flows > 123 || c.Expired < 19_500 || c.Evicted != 0 {
		t.Errorf("%+v, where one comes a second and lasts two minutes", c)
	}
	slots := 0
	for i := range s.a.shards {
		slots += len(s.a.shards[i].body.Load().slots)
		s.a.shards[i].check(t, s.a.Table)
	}
	if slots > 1024 {
		t.Errorf("%d slots for %d flows", slots, c.Flows)
	}
}

// A table is six tenths full before more than one in ten thousand is forgotten that could have stayed. When the first is, is chance.
func TestTheRoomIsUsed(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false})
	const n = DefaultFlows * 6 / 10
	for i := range n {
		b := s.tcp(s.a, uint16(i), uint16(i>>16), syn)
		if !s.a.Out(s.now, b, len(b), false) {
			t.Fatal("dropped")
		}
	}
	if forgotten := s.a.Counters().Evicted; forgotten > n/10_000 {
		t.Errorf("of %d flows %d are forgotten, where there is room for %d", n, forgotten, DefaultFlows)
	}
}

// One address that may open whatever it likes fills the table with connections and conversations. Those that others had, idle for longer,
// stay, and others still find room.
func TestOneSourceDoesNotPushOutTheOthers(t *testing.T) {
	s := newStory(t)
	s.a.Table = New(Config{Flows: 4096})
	s.policy(allow{s.b, s.a, filter.TCP, 0, 65535, false}, allow{s.b, s.a, filter.UDP, 0, 65535, false})
	host := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, byte(n >> 8), byte(n)}) }
	connect := func(from netip.Addr, port uint16, proto uint8) {
		there := func(flags uint8) []byte {
			if proto == filter.UDP {
				return packet(from, s.a.addr, proto, udp(port, 443, 1))
			}
			return packet(from, s.a.addr, proto, tcp(port, 443, flags))
		}
		back := packet(s.a.addr, from, filter.TCP, tcp(443, port, synAck))
		if proto == filter.UDP {
			back = packet(s.a.addr, from, proto, udp(443, port, 1))
		}
		for _, b := range [][]byte{there(syn), there(ack)} {
			if !s.a.In(s.now, b, len(b), false) {
				t.Fatal("dropped")
			}
			s.a.Out(s.now, back, len(back), false)
		}
	}
	for i := range 800 {
		connect(host(i%100), uint16(40000+i/100), filter.TCP)
	}
	s.pass(time.Minute)
	for i := range 60_000 {
		connect(host(5000), uint16(i), []uint8{filter.TCP, filter.UDP}[i&1])
	}
	known := 0
	for i := range 800 {
		k := keyOfPacket(&filter.Packet{Src: filter.AddressOf(host(i % 100)), Dst: filter.AddressOf(s.a.addr), SrcPort: uint16(40000 + i/100), DstPort: 443, Proto: filter.TCP}, false)
		hash := k.hash(&s.a.seed)
		if _, _, ok := s.a.shard(hash).glimpse(&k, hash); ok {
			known++
		}
	}
	if known < 740 { // a source in 256 shares the hash of the greedy one, and one draw in 10,000 finds nothing
		t.Errorf("%d of 800 connections of others are left", known)
	}
	for i := range s.a.shards {
		s.a.shards[i].check(t, s.a.Table)
	}
}

func TestDeniedPacketsMakeNoFlow(t *testing.T) {
	s := newStory(t)
	s.policy()
	for port := range uint16(1000) {
		s.dropped(s.a, s.tcp(s.a, 39999, port, syn), "out: no_rule")
	}
	s.a.wants(t, "flows", s.a.Counters().Flows, 0)
}

// What buckets say is what slots have, and each flow is found where it is.
func (s *shard) check(t *testing.T, table *Table) {
	t.Helper()
	b := s.body.Load()
	var count [ranks]uint32
	for i := range b.slots {
		p := place(i)
		x := b.at(p)
		c, way := b.of(p)
		if !b.tags[p/ways].used(way) {
			if x.stamp.Load()&vacant == 0 {
				t.Fatalf("slot %d has a flow of which its bucket does not know", i)
			}
			continue
		}
		k, st := b.key(place(i)), x.state()
		hash := k.hash(&table.seed)
		if x.stamp.Load()&vacant != 0 || c.source[way] != k.source(&table.seed) || int(c.rank[way]) != st.rank(k.proto()) {
			t.Fatalf("flow %d is another than its bucket says", i)
		}
		if end := tick(x.stamp.Load()) + st.lasts(k.proto()) + 1; c.end(way) != end {
			t.Fatalf("flow %d ends at %d, its bucket says %d", i, end, c.end(way))
		}
		if at, lives := s.look(&k, hash, tick(x.stamp.Load())); at != p || !lives {
			t.Fatalf("flow %d is found at %d", i, at)
		}
		count[c.rank[way]]++
	}
	if count != s.ranks {
		t.Fatalf("%d flows by rank, says %d", count, s.ranks)
	}
}

func TestNoPacketAllocates(t *testing.T) {
	s := newStory(t)
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false}, rule(s.a, s.b, filter.UDP, 53), rule(s.a, s.b, filter.ICMP, 0))
	s.connect(s.a, 40000, 443)
	fragments := s.whole(s.a, false, 53, 7)
	settled, opens, denied := s.tcp(s.a, 40000, 443, ack), s.tcp(s.a, 40001, 443, syn), s.tcp(s.b, 40001, 443, syn)
	ping, report := s.send(s.a, filter.ICMP, icmp(8, 0, 1)), about(s.b.addr, settled, 28)
	port := uint16(0)
	if n := testing.AllocsPerRun(1000, func() {
		port++
		opens[22], opens[23] = byte(port>>8), byte(port)
		s.now = s.now.Add(10 * time.Millisecond)
		for _, b := range [][]byte{settled, opens, fragments[0], fragments[1], ping} {
			if !s.a.Out(s.now, b, len(b), false) {
				t.Fatal("dropped")
			}
		}
		s.a.In(s.now, report, len(report), false)
		s.a.In(s.now, denied, len(denied), false)
		if port%100 == 0 {
			s.a.rules.Load().epoch++ // everything is judged again
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
