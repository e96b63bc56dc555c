package compile

import (
	"math/rand/v2"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

// TestCompareTellsWhatTheTextsDecide compares random documents, and asks the reference about both: whatever is told to open was closed
// before, and where nothing is told nothing differs.
func TestCompareTellsWhatTheTextsDecide(t *testing.T) {
	opened, closed, same := 0, 0, 0
	for seed := range uint64(150) {
		w := world{rand.New(rand.NewPCG(seed, 6))}
		text := w.document()
		other := w.edited(text)
		if w.IntN(3) == 0 {
			other = w.document()
		}
		before := &reference{parse(t, text), w.users()}
		after := &reference{parse(t, other), before.users}
		old := New(before.doc, overlay...)
		for _, u := range before.users {
			old.PutUser(u, nil)
		}
		nodes := map[ident.Node]*Node{}
		for i := range 6 {
			x := w.node(i + 1)
			nodes[x.ID] = &x
			old.Put(x, nil)
		}
		next, _ := old.Replace(after.doc, nil)
		at := instants[w.IntN(3)]
		list, _ := Compare(old, next, at)
		decide := func(r *reference, a, b *Node, service uint32) bool {
			reason, _ := r.decide(party{node: a}, party{node: b}, service, at)
			return reason == filter.Allowed
		}
		for _, d := range list {
			a, b := nodes[d.Src.Sample], nodes[d.Dst.Sample]
			if a == nil || b == nil || a == b || d.SameUser != sameUser(a, b) {
				continue
			}
			for i, services := range [][]acl.Service{d.Opened, d.Closed} {
				for _, s := range services {
					for _, v := range []uint32{s.First, s.Last} {
						if was, is := decide(before, a, b, v), decide(after, a, b, v); was != (i == 1) || is != (i == 0) {
							t.Fatalf("seed %d: %v of %+v to %+v: was %v, is %v, told %+v", seed, acl.Service{First: v, Last: v}, a, b, was, is, d)
						}
						opened, closed = opened+1-i, closed+i
					}
				}
			}
		}
		if len(list) > 0 {
			continue
		}
		same++
		for _, a := range nodes {
			for _, b := range nodes {
				for _, v := range []uint32{6<<16 | 22, 6<<16 | 80, 6<<16 | 500, 17<<16 | 6000, 1 << 16, 47 << 16} {
					if a != b && decide(before, a, b, v) != decide(after, a, b, v) {
						t.Fatalf("seed %d: nothing is told about %d of %+v to %+v", seed, v, a, b)
					}
				}
			}
		}
	}
	if opened == 0 || closed == 0 || same == 0 {
		t.Errorf("%d opened, %d closed, %d the same", opened, closed, same)
	}
}

func TestWithoutTakesRangesAway(t *testing.T) {
	s := func(list ...uint32) (out []acl.Service) {
		for i := 0; i < len(list); i += 2 {
			out = append(out, acl.Service{First: list[i], Last: list[i+1]})
		}
		return out
	}
	r := rand.New(rand.NewPCG(1, 1))
	random := func() (out []acl.Service) {
		at := uint32(0)
		for range r.IntN(5) {
			first := at + uint32(r.IntN(5))
			last := first + uint32(r.IntN(8))
			out = append(out, s(first, last)...)
			at = last + 2
		}
		return out
	}
	has := func(list []acl.Service, v uint32) bool {
		for _, x := range list {
			if x.First <= v && v <= x.Last {
				return true
			}
		}
		return false
	}
	for range 2000 {
		a, b := random(), random()
		got := without(a, b)
		for v := range uint32(80) {
			if has(got, v) != (has(a, v) && !has(b, v)) {
				t.Fatalf("%v without %v is %v", a, b, got)
			}
		}
	}
}
