package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

func (s *stage) wants(t *testing.T, parts ...string) {
	t.Helper()
	screen := s.screen()
	for _, p := range parts {
		if not, ok := strings.CutPrefix(p, "!"); ok == strings.Contains(screen, strings.TrimPrefix(p, "!")) {
			t.Errorf("%q is, or is not, on the screen:\n%s", not, screen)
		}
	}
}

func TestFilterAsYouType(t *testing.T) {
	s := newStage(100, 24, false)
	s.hear()
	s.press("/", "tag:web !relay")
	s.wants(t, "web-10", "!web-2", "1 of 5")
	s.press("enter", "c")
	if s.copied != "10.77.0.5" {
		t.Errorf("copied %q", s.copied)
	}
	s.wants(t, "Copied 10.77.0.5")
	s.press("esc")
	s.wants(t, "web-2", "db-1", "!filter")
	s.press("/", "zzz")
	s.wants(t, "No peer matches")
	s.press("enter", "c", "enter", "down", "p") // nobody is there to do it to
	s.press("/", "q", "esc")
	if s.quit {
		t.Error("q in a filter ended the program")
	}
}

func TestSortKeepsThePeerUnderTheCursor(t *testing.T) {
	s := newStage(100, 24, false)
	s.hear()
	s.press("down") // db-1
	for range orders {
		s.press("s")
		if p := s.peers.current(); p == nil || p.name != "db-1" {
			t.Fatalf("sorted by %v the cursor is on %+v", s.peers.order, p)
		}
	}
	s.press("S", "home")
	if p := s.peers.current(); p.name != "web-10" {
		t.Errorf("turned round, the first is %s", p.name)
	}
	s.pass(0)
	if p := s.peers.current(); p.name != "web-10" {
		t.Errorf("after news the cursor is on %s", p.name)
	}
}

func TestPathsAreForOperators(t *testing.T) {
	s := newStage(100, 30, false)
	s.twin.refused = errRights
	s.hear()
	s.pass(0)
	s.press("enter")
	s.wants(t, "Only an operator may see them", "sudo cvlan tui")
	s.press("3")
	s.wants(t, "you are no operator")
}

func TestChangesAreTold(t *testing.T) {
	s := newStage(100, 30, false)
	s.hear()
	n := &s.twin.status.Networks[0]
	n.Peers = append([]local.Peer{}, n.Peers...)
	n.Peers[0].Path, n.Peers[0].Relay = local.PathRelay, "nyc-1"
	n.Peers[1].Name, n.Peers[1].Tags = "web-3", nil
	n.Peers[3].Online = true
	n.Peers = n.Peers[:4]
	n.Warnings, n.Controller.Connected, n.Policy.Version = nil, false, 8
	n.Exit = &local.Exit{Node: "db-1", State: local.ExitInUse}
	s.pass(0)
	n.Exit = nil
	s.pass(0)
	s.press("4")
	s.wants(t, "what is for the internet leaves through db-1", "leaves as it would without an exit")
	s.wants(t, "db-1 is reached through relay nyc-1", "bobs-desk is online", "web-2 is called web-3 now", "web-3 belongs to nobody now", "printer is gone", "no more: UDP does not leave", "the controller is away", "policy version 8 is in force")
	s.twin.err = errDown
	s.pass(0)
	s.wants(t, "the daemon does not answer")
	s.twin.err = nil
	s.pass(0)
	s.wants(t, "the daemon answers again")
}

func TestPingGoesOnUntilItIsLeft(t *testing.T) {
	s := newStage(100, 30, false)
	s.hear()
	s.twin.rtts = []time.Duration{1e6, 0, 3e6, 4e6}
	s.press("p")
	for range 3 {
		s.pass(0)
	}
	s.wants(t, "4 sent, 3 received", "25 % lost", "stop ping")
	s.press("esc")
	s.twin.rtts = []time.Duration{1e6}
	s.pass(0)
	if s.world.ping.sent != 4 {
		t.Error("the ping went on")
	}
}

func TestNetworksAreChosenAndTurned(t *testing.T) {
	s := newStage(100, 30, false)
	lab := local.Network{ID: "n2", Name: "lab", State: local.Down, Peers: []local.Peer{{Node: local.Node{ID: "c1", Name: "rig"}}}}
	s.twin.status.Networks = append(s.twin.status.Networks, lab)
	s.hear()
	s.wants(t, "rig", "db-1")
	s.press("5", "down", "down", "enter")
	s.wants(t, "rig", "!db-1")
	s.press("5", "u")
	s.press("up", "d")
	s.wants(t, "Switch office off")
	s.press("n", "d", "y")
	if got := strings.Join(s.twin.turned, ", "); got != "up n2, down n1" {
		t.Errorf("turned: %s", got)
	}
	s.twin.status.Networks = s.twin.status.Networks[:1]
	s.pass(0)
	s.press("1")
	s.wants(t, "db-1") // the network that was chosen is no more: all are shown
}

func TestQuitKeys(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"ctrl+c"}, {"?", "x", "q"}, {"/", "ctrl+c"}, {"enter", "q"}} {
		s := newStage(80, 24, false)
		s.hear()
		s.press(keys...)
		if !s.quit {
			t.Errorf("%v does not quit", keys)
		}
	}
}

func TestNoKeyPanicsAnywhere(t *testing.T) {
	all := []string{"up", "down", "pgup", "pgdown", "home", "end", "enter", "esc", "left", "right", "tab", "shift+tab", "backspace", "/", "?", "a", "c", "d", "e", "g", "G", "i", "j", "k", "m", "n", "p", "r", "R", "s", "S", "t", "u", "x", "y", "C"}
	for _, logged := range []bool{false, true} {
		for _, empty := range []bool{false, true} {
			s := newStage(70, 22, logged)
			if empty {
				s.twin.status = local.Status{}
			}
			s.press(all...) // before anything is known
			s.hear()
			for p := range s.last() {
				for _, k := range all {
					s.helping, s.detailed, s.dialog, s.secret = false, false, nil, nil
					s.do(show{p})
					s.press(k, "x", "enter", "y")
					s.pass(1)
					fits(t, s)
				}
			}
		}
	}
}
