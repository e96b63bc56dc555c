package tunnel

import (
	"strings"
	"testing"
)

func TestABudgetNeverGrows(t *testing.T) {
	b := NewBudget(10000)
	if err := b.reserve(4000); err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for s := b.slot(2000); s != nil; s = b.slot(2000) {
		all = append(all, s)
	}
	if len(all) != 3 || b.Used() != 10000 {
		t.Fatalf("%d slots, %d bytes used", len(all), b.Used())
	}
	if err := b.reserve(1); err == nil || !strings.Contains(err.Error(), "data_memory") {
		t.Fatalf("beyond the limit: %v", err)
	}
	b.giveBack(all[0][:7])
	if s := b.slot(2000); s == nil || len(s) != 2000 {
		t.Fatal("a slot that was given back is lost")
	} else {
		b.giveBack(s)
	}
	if err := b.reserve(1500); err != nil { // a free slot makes room
		t.Fatal(err)
	}
	if b.Used() > 10000 {
		t.Fatalf("%d bytes used", b.Used())
	}
}
