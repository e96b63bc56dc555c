package view

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
)

func TestFanOutAllocatesNothingANode(t *testing.T) {
	s := newStage(t, Config{})
	for id := range ident.Node(100) {
		s.node(id + 1)
	}
	var sessions []*Session
	for id := range ident.Node(100) {
		r := s.reader(id + 1)
		r.read()
		sessions = append(sessions, r.session)
	}
	audience := make([]ident.Node, 0, 200)
	soft := Soft{Online: true}
	c := s.view.SetSoft(1, soft)
	sessions[5].Next() // the one who makes the shared delta
	sessions[5].Sent()
	for what, f := range map[string]func(){
		"soft state that is as it was": func() { s.view.SetSoft(1, soft) },
		"an audience":                  func() { audience = s.view.Audience(audience[:0], c) },
		"a shared delta": func() {
			if sessions[50].Next() == nil {
				t.Fatal("nothing to send")
			}
		},
		"nothing new": func() {
			if sessions[5].Next() != nil {
				t.Fatal("something to send")
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

// crowd is a View of n members, of whom every one is online.
func crowd(b *testing.B, n int) (*stage, []*Session) {
	s := newStage(b, Config{})
	for id := range ident.Node(n) {
		s.node(id + 1)
		s.view.SetSoft(id+1, Soft{Online: true})
	}
	var sessions []*Session
	for id := range ident.Node(n) {
		r, err := s.view.Resume(id+1, cursorMessage(s.view.Cursor()), 0)
		if err != nil {
			b.Fatal(err)
		}
		r.Next()
		r.Sent()
		sessions = append(sessions, r)
	}
	return s, sessions
}

// BenchmarkOneChangeToAll is Put, Audience, and the delta for each of the members.
func BenchmarkOneChangeToAll(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, sessions := crowd(b, n)
			var audience []ident.Node
			sent := 0
			nodes := [2]Node{nodeOf(5, renamed), nodeOf(5)}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c, err := s.view.PutNode(nodes[i%2], s.next())
				if err != nil {
					b.Fatal(err)
				}
				audience = s.view.Audience(audience[:0], c)
				for _, id := range audience {
					m := sessions[id-1]
					sent += len(m.Next())
					m.Sent()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
			b.ReportMetric(float64(sent)/float64(b.N)/float64(n), "B/node")
		})
	}
}

func BenchmarkResumeWithNothingNew(b *testing.B) {
	s, _ := crowd(b, 10_000)
	have := cursorMessage(s.view.Cursor())
	b.ReportAllocs()
	for b.Loop() {
		r, _ := s.view.Resume(77, have, 0)
		r.Next()
		r.Sent()
	}
}

// BenchmarkNewcomer is a join of one more, and its snapshot.
func BenchmarkNewcomer(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, _ := crowd(b, n)
			id := ident.Node(n)
			b.ReportAllocs()
			for b.Loop() {
				id++
				if _, err := s.view.PutNode(nodeOf(id), s.next()); err != nil {
					b.Fatal(err)
				}
				r, _ := s.view.Resume(id, nil, 0)
				for r.Next() != nil {
					r.Sent()
				}
			}
		})
	}
}

func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := newStage(b, Config{})
		for id := range ident.Node(n) {
			s.node(id + 1)
			s.view.SetSoft(id+1, Soft{Online: true})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/node")
		runtime.KeepAlive(s)
	}
}
