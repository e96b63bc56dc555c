package agenda

import (
	"math/rand/v2"
	"testing"

	"github.com/cvlan/cvlan/internal/base/mono"
)

type item struct {
	Slot
	name int
}

func TestAnAgendaAgreesWithAModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	items := make([]*item, 50)
	for i := range items {
		items[i] = &item{name: i}
	}
	var a Agenda[*item]
	model := map[*item]mono.Time{}
	for range 20_000 {
		p := items[rnd.IntN(len(items))]
		at := mono.Time(rnd.IntN(100)) // 0 is Never
		if a.Set(p, at); at.IsNever() {
			delete(model, p)
		} else {
			model[p] = at
		}
		want := mono.Never
		for _, at := range model {
			want = mono.Earlier(want, at)
		}
		if got := a.Deadline(); got != want || a.Len() != len(model) {
			t.Fatalf("first is due at %d of %d, want %d of %d", got, a.Len(), want, len(model))
		}
		if first, ok := a.Due(want); ok != !want.IsNever() || ok && model[first] != want {
			t.Fatalf("%v is due at %d", first, want)
		}
		if early, ok := a.Due(want - 1); ok && !want.IsNever() {
			t.Fatalf("%v is due before its time", early)
		}
		for i, e := range a.heap {
			if e.item.place != i+1 {
				t.Fatalf("an item at %d believes that it is at %d", i+1, e.item.place)
			}
		}
	}
}

func TestNothingIsAllocatedToMoveAnItem(t *testing.T) {
	var a Agenda[*item]
	p, q := &item{}, &item{}
	a.Set(p, 1)
	a.Set(q, 2)
	at := mono.Time(3)
	if n := testing.AllocsPerRun(100, func() { a.Set(p, at); at++; a.Due(at) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
