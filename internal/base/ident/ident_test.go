package ident

import (
	"strings"
	"testing"
)

func TestIdentifiersSurviveTheirText(t *testing.T) {
	for range 1000 {
		n := New[Node]()
		got, err := Parse[nodeKind](n.String())
		if err != nil || got != n {
			t.Fatalf("Parse(%s) = %v, %v", n, got, err)
		}
		if _, err := Parse[nodeKind](strings.ToUpper(n.String())); err != nil {
			t.Fatal("upper case refused:", err)
		}
	}
}

func TestAKindRefusesItsNeighbours(t *testing.T) {
	if _, err := Parse[tenantKind](New[Node]().String()); err == nil {
		t.Fatal("a node's identifier passed as a tenant's")
	}
	for _, s := range []string{"", "n", "n0000000000000", "nzzzzzzzzzzzzz", "n0c9k2v4m8q1xu", "n0c9k2v4m8q1x"} {
		if v, err := Parse[nodeKind](s); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", s, v)
		}
	}
}
