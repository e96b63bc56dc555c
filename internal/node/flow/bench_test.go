package flow

import (
	"testing"

	"github.com/cvlan/cvlan/policy/filter"
)

// BenchmarkPass is what a packet costs, taken apart and all: of a settled connection among as many as there may be, of the same one, and of what
// begins something new.
func BenchmarkPass(b *testing.B) {
	s := newStory(&testing.T{})
	s.policy(allow{s.a, s.b, filter.TCP, 0, 65535, false}, allow{s.a, s.b, filter.UDP, 0, 65535, false})
	var packets [][]byte
	for i := range uint16(4096) {
		s.connect(s.a, 40000+i%20000, 443+i/20000)
		packets = append(packets, s.tcp(s.a, 40000+i%20000, 443+i/20000, ack))
	}
	run := func(name string, n int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p := packets[i%n]
				if !s.a.Out(s.now, p, len(p), false) {
					b.Fatal("dropped")
				}
			}
		})
	}
	run("one", 1)
	run("16", 16)
	run("4096", 4096)
	b.Run("opens", func(b *testing.B) {
		b.ReportAllocs()
		p := s.tcp(s.a, 1, 2, syn)
		for i := 0; b.Loop(); i++ {
			p[20], p[21], p[22], p[23] = byte(i), byte(i>>8), byte(i>>16), 1
			if !s.a.Out(s.now, p, len(p), false) {
				b.Fatal("dropped")
			}
		}
	})
}
