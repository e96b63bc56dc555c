package disco

import (
	"bytes"
	"testing"

	"github.com/cvlan/cvlan/internal/base/mono"
)

func text(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestPartsComeTogetherInAnyOrder(t *testing.T) {
	for _, n := range []int{1, MaxPart, MaxPart + 1, 1184, MaxParts * MaxPart} {
		parts := Split(5, 1, text(n))
		var forth, back Assembly
		for i := range parts {
			last := i == len(parts)-1
			if got := forth.Add(1, &parts[i]); last != bytes.Equal(got, text(n)) {
				t.Errorf("%d bytes: part %d of %d makes %d bytes", n, i, len(parts), len(got))
			}
			if got := back.Add(1, &parts[len(parts)-1-i]); last != bytes.Equal(got, text(n)) {
				t.Errorf("%d bytes backwards: part %d of %d makes %d bytes", n, i, len(parts), len(got))
			}
		}
		if forth.Deadline() != mono.Never {
			t.Error("an empty assembly waits")
		}
	}
}

func TestAPartThatComesTwiceCountsOnce(t *testing.T) {
	parts := Split(5, 1, text(1184))
	var a Assembly
	for range 2 {
		if a.Add(1, &parts[0]) != nil {
			t.Fatal("half of a message is whole")
		}
	}
	if got := a.Add(1, &parts[1]); !bytes.Equal(got, text(1184)) {
		t.Fatalf("%d bytes", len(got))
	}
}

func TestHalvesOfTwoMessagesMakeNone(t *testing.T) {
	one := Split(5, 1, text(1184))
	for what, other := range map[string][]Message{"exchange": Split(6, 1, text(1184)), "step": Split(5, 2, text(1184)), "count": Split(5, 1, text(1300))} {
		var a Assembly
		a.Add(1, &one[0])
		if a.Add(1, &other[1]) != nil {
			t.Errorf("halves of another %s make a message", what)
		}
	}
}

func TestAnAssemblyExpires(t *testing.T) {
	parts := Split(5, 1, text(1184))
	var a Assembly
	a.Add(1, &parts[0])
	a.Expire(a.Deadline() - 1)
	if a.Deadline().IsNever() {
		t.Error("it expired too early")
	}
	a.Expire(a.Deadline())
	if !a.Deadline().IsNever() || a.Add(1, &parts[1]) != nil {
		t.Error("it did not expire")
	}
}

func FuzzAssembly(f *testing.F) {
	f.Add([]byte{5, 1, 0, 2, 5, 1, 1, 2}, 300)
	f.Add([]byte{5, 1, 0, 2, 6, 1, 1, 2, 5, 1, 1, 2}, 640)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		var a Assembly
		for ; len(b) >= 4; b = b[4:] {
			m := Message{Kind: Part, ID: uint64(b[0]), Step: b[1], Index: b[2], Of: b[3], Data: make([]byte, max(0, n)%(2*MaxPart))}
			if whole := a.Add(1, &m); len(whole) > MaxParts*MaxPart || whole != nil && !a.Deadline().IsNever() {
				t.Fatalf("%d bytes", len(whole))
			}
		}
	})
}
