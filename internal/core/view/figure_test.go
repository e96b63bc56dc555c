package view

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Budgets of the wire, in bytes of frames with their lengths, before TLS.
const (
	joinBudget   = 350 // what one join costs every other node
	resumeBudget = 300 // what a node costs that comes back and has missed nothing
)

// figure prints a line for whoever collects figures, and holds the budget.
func figure(t *testing.T, name string, got, budget int) {
	t.Helper()
	fmt.Fprintf(os.Stdout, "FIGURE %s %d bytes\n", name, got)
	if got == 0 || got > budget {
		t.Errorf("%s is %d bytes, want 1 to %d", name, got, budget)
	}
}

// busyOffice has a history, so that no number of a cursor is a small one.
func busyOffice(t *testing.T) (*stage, Soft) {
	s := newStage(t, Config{Epoch: 3, Boot: 1<<63 + 12345, Hard: 1_000_000})
	soft := Soft{Online: true, Endpoints: []netip.AddrPort{
		netip.MustParseAddrPort("198.51.100.77:41641"), netip.MustParseAddrPort("192.168.178.23:41641"), netip.MustParseAddrPort("[2001:db8:77::23]:41641")}}
	for id := range ident.Node(50) {
		s.node(id + 1)
		s.view.SetSoft(id+1, soft)
	}
	return s, soft
}

// A join is told in three parts, each in a frame of its own when nothing is coalesced, which is the worst: the new node, its
// signature, where it is.
func TestFigureAJoinCostsOthersLittle(t *testing.T) {
	s, soft := busyOffice(t)
	other := s.reader(7)
	other.read()
	const newcomer ident.Node = 1 << 60 // identifiers are random: long in the encoding
	total := 0
	for _, step := range []func(){
		func() { s.node(newcomer, unsigned) },
		func() { s.node(newcomer) },
		func() { s.view.SetSoft(newcomer, soft) },
	} {
		step()
		other.read()
		total += other.bytes
	}
	if p := other.soft[newcomer]; p == nil || !p.Online {
		t.Fatal("the other does not see the newcomer")
	}
	figure(t, "join_bytes_per_node", total, joinBudget)
}

func TestFigureResumingCostsNextToNothing(t *testing.T) {
	s, soft := busyOffice(t)
	r := s.reader(7)
	r.read()
	gone := soft
	gone.Online, gone.Endpoints, gone.LastSeen = false, nil, time.Unix(1_795_000_000, 0)
	s.view.SetSoft(7, gone)
	s.view.SetSoft(7, soft)
	r.read()
	r.resume(7)
	r.read()
	figure(t, "resume_bytes", r.bytes, resumeBudget)
}
