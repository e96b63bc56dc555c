package tui

import (
	"errors"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/api/local"
)

// turns checks what the daemon was told to change.
func (s *stage) turns(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.twin.turned, want) {
		t.Errorf("the daemon was told %q, want %q", s.twin.turned, want)
	}
}

func TestAnExitIsChosen(t *testing.T) {
	s := newStage(100, 30, false)
	s.hear()
	s.press("5", "down", "x")
	s.wants(t, "No machine is an exit in office", "!x exit")
	s.leave()
	s.quiet()
	s.wants(t, "db-1, IPv4 alone: nothing leaves by IPv6; local networks are out of reach", "x exit")
	s.press("x")
	s.wants(t, "db-1     in use, IPv4 alone", "web-2    not allowed by policy", "web-10   offline")
	s.press("enter") // it is under the cursor
	s.wants(t, "db-1 is the exit of office already", "!Send all")
	s.turns(t)
	s.press("x", "down", "enter")
	s.wants(t, "autogroup:internet")
	s.press("x", "down", "down", "enter")
	s.wants(t, "Send all that is for the internet through web-10?")
	s.press("y")
	s.wants(t, "leaves through web-10")
	s.press("x", "home", "enter")
	s.turns(t, "n1 exit-node web-10", "n1 exit-node default")
	n := &s.twin.status.Networks[0]
	n.Exit = &local.Exit{Node: "web-10", State: local.ExitAway}
	s.quiet()
	s.press("x", "enter")
	s.wants(t, "web-10 is the exit of office already, and away")
	n.Exit = nil
	s.quiet()
	s.press("x", "home", "enter")
	s.wants(t, "office uses no exit")
	s.turns(t, "n1 exit-node web-10", "n1 exit-node default")
	n.Exit = &local.Exit{Node: "db-1", State: local.ExitInUse}
	s.quiet()
	s.twin.refused = errors.Join(local.CodePermission.Problem("set", "you are no operator", "as an operator: sudo cvlan tui"))
	s.press("x", "home", "enter")
	s.wants(t, "you are no operator")
}

func TestAPeerThatIsAnExitIsTakenAsOne(t *testing.T) {
	s := newStage(100, 30, false)
	s.leave()
	s.hear()
	s.press("x") // bobs-desk is none
	s.turns(t)
	s.press("down", "enter") // db-1
	s.wants(t, "leads to    10.20.0.0/16", "the internet (in use)", "x use no exit")
	s.press("x")
	s.turns(t, "n1 exit-node default")
	s.twin.status.Networks[0].Exit = nil
	s.quiet()
	s.wants(t, "x use as exit")
	s.press("x")
	s.wants(t, "Send all that is for the internet through db-1?")
	s.press("n", "x", "y")
	s.turns(t, "n1 exit-node default", "n1 exit-node db-1")
	s.press("esc", "down", "down", "enter", "x") // web-2, past the printer
	s.wants(t, "the internet (not allowed by policy)", "autogroup:internet")
}

func TestAnExitThatIsAwayIsNoWayOut(t *testing.T) {
	for _, c := range []struct {
		exit local.Exit
		want string
	}{
		{local.Exit{Node: "db-1", State: local.ExitAway, LAN: true}, "db-1, away: nothing leaves for the internet; local networks stay in reach"},
		{local.Exit{Node: "db-1", State: local.ExitFailed}, "db-1, failed: traffic leaves as it would without"},
		{local.Exit{Node: "db-1", State: local.ExitInUse, IPv6: true}, "db-1; local networks are out of reach"},
	} {
		if got := leaves(&network{Network: local.Network{Exit: &c.exit}}); got != c.want {
			t.Errorf("%+v: %q", c.exit, got)
		}
	}
}

func TestMachinesAreFoundByName(t *testing.T) {
	s := newStage(100, 30, false)
	s.hear()
	s.pass(0)
	s.press("down", "enter")
	s.wants(t, "name        db-1.office.cvlan")
	for _, c := range []struct {
		change func(*local.DNS)
		want   string
	}{
		{func(d *local.DNS) {}, "office.cvlan, answered here"},
		{func(d *local.DNS) { d.InPlace = false }, "office.cvlan, and programs do not ask for them"},
		{func(d *local.DNS) { d.Networks[0].Served = false }, "office.cvlan, not now"},
		{func(d *local.DNS) { d.Networks[0].On = false }, "office.cvlan, off: sudo cvlan set dns on"},
		{func(d *local.DNS) { d.Networks = nil }, "office.cvlan\n"},
	} {
		c.change(&s.twin.names)
		s.clock = s.clock.Add(namesFresh)
		s.pass(0)
		s.press("5", "down")
		s.wants(t, "names       "+c.want)
	}
	s.press("1", "enter")
	s.wants(t, "!db-1.office.cvlan")
}
