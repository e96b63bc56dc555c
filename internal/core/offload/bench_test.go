package offload

import (
	"testing"
)

// A train of 45 segments with 1,400 bytes each and timestamps.
func bulk(from, to byte) sample {
	return sample{protocol: TCP, from: v4(from), to: v4(to), sport: 443, dport: 5000, options: timestamps, payload: numbered(45 * 1400), segment: 1400}
}

// perPacket reports the time a packet, of n an iteration.
func perPacket(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/packet")
	b.ReportMetric(0, "ns/op")
}

func benchmarkSplit(b *testing.B, a sample) {
	u := a.super()
	fresh := append([]byte(nil), u.Packet[:u.Headers]...)
	var s Splitter
	b.ReportAllocs()
	for b.Loop() {
		copy(u.Packet, fresh)
		if err := s.Start(u); err != nil {
			b.Fatal(err)
		}
		for s.Next() != nil {
		}
	}
	perPacket(b, s.Count())
}

func BenchmarkSplitTCP(b *testing.B) { benchmarkSplit(b, bulk(1, 2)) }

func BenchmarkSplitTCP6(b *testing.B) {
	a := bulk(1, 2)
	a.from, a.to = v6(1), v6(2)
	benchmarkSplit(b, a)
}

func BenchmarkSplitSmallUDP(b *testing.B) {
	benchmarkSplit(b, sample{protocol: UDP, from: v4(1), to: v4(2), sport: 1, dport: 2, payload: numbered(45 * 172), segment: 172})
}

// Packets by themselves, of which only the checksum is to be done.
func BenchmarkSingle(b *testing.B) {
	for name, size := range map[string]int{"1400": 1400, "172": 172} {
		b.Run(name, func(b *testing.B) {
			u := sample{protocol: TCP, from: v4(1), to: v4(2), options: timestamps, payload: numbered(size)}.super()
			u.Protocol = None
			var s Splitter
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Start(u); err != nil {
					b.Fatal(err)
				}
				s.Next()
			}
			perPacket(b, 1)
		})
	}
}

func benchmarkJoin(b *testing.B, packets [][]byte, runs int) {
	j := NewJoiner(len(packets), TCP, UDP)
	firsts := map[int][]byte{} // Runs writes into these
	for i, p := range packets {
		firsts[i] = append([]byte(nil), p[:60]...)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, p := range packets {
			if i < 8 {
				copy(p, firsts[i])
			}
			j.Add(p)
		}
		if n := len(j.Runs()); n != runs {
			b.Fatal(n, " runs")
		}
		j.Reset()
	}
	perPacket(b, len(packets))
}

func BenchmarkJoinTCP(b *testing.B) { benchmarkJoin(b, split(b, bulk(1, 2).super()), 1) }

func BenchmarkJoinTCP6(b *testing.B) {
	a := bulk(1, 2)
	a.from, a.to = v6(1), v6(2)
	benchmarkJoin(b, split(b, a.super()), 1)
}

// Eight flows whose packets alternate.
func BenchmarkJoinEightTCP(b *testing.B) {
	var packets [][]byte
	for flow := range byte(8) {
		packets = append(packets, split(b, bulk(flow, 100).super())[:16]...)
	}
	mixed := make([][]byte, len(packets))
	for i, p := range packets {
		mixed[i%16*8+i/16] = p
	}
	benchmarkJoin(b, mixed, 8)
}

func BenchmarkJoinSmallUDP(b *testing.B) {
	a := sample{protocol: UDP, from: v4(1), to: v4(2), sport: 1, dport: 2, payload: numbered(45 * 172), segment: 172}
	benchmarkJoin(b, split(b, a.super()), 1)
}

// More flows than may be open, so that nothing is ever joined.
func BenchmarkJoinStrangers(b *testing.B) {
	var packets [][]byte
	for flow := range byte(64) {
		packets = append(packets, sample{protocol: UDP, from: v4(flow), to: v4(200), payload: numbered(172)}.packet())
	}
	benchmarkJoin(b, packets, len(packets))
}
