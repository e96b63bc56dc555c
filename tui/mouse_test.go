package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
)

func (s *stage) clickAt(x, y int) { s.send(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft}) }

// click clicks on each of these texts, where it stands first.
func (s *stage) click(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		found := false
		for y, l := range strings.Split(s.screen(), "\n") {
			if before, _, ok := strings.Cut(l, text); ok {
				s.clickAt(cells.Width(before), y)
				found = true
				break
			}
		}
		if !found {
			t.Fatalf("there is no %q to click on:\n%s", text, s.screen())
		}
	}
}

func TestALongNoticeIsSeenWhole(t *testing.T) {
	s := newStage(60, 20, false)
	s.hear()
	s.do(oops("approve rig", local.CodePermission.Problem("approve", "the key of this login may only read, in this tenant and no other", "log in with another key: cvlan admin login")))
	s.wants(t, "approve rig: the key of this login may only read, in this", "tenant and no other; log in with another key: cvlan admin", " login\n")
	fits(t, s)
	s.send(tea.MouseClickMsg{X: 5, Y: 18, Button: tea.MouseLeft})
	s.wants(t, "!may only read", "enter details")
	s.do(say{strings.Repeat("long ", 200), true})
	for h := range 12 {
		s.send(tea.WindowSizeMsg{Width: 40, Height: h})
		if h > 0 {
			fits(t, s)
		}
	}
}

func TestTheMouseChoosesOpensSortsAndScrolls(t *testing.T) {
	s := newStage(100, 24, false)
	s.hear()
	s.screen()
	s.clickAt(6, 3+1+3) // the fourth row
	if p := s.peers.current(); p.name != "web-2" {
		t.Fatalf("clicked %s", p.name)
	}
	s.clickAt(6, 3+1+3)
	s.wants(t, "PATHS")
	s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	s.press("esc")
	s.screen()
	s.click(t, "PATH")
	if s.peers.order != byPath {
		t.Errorf("sorted by %v", s.peers.order)
	}
	s.click(t, "Health")
	if s.at != placeHealth {
		t.Error("a click on the bar does not lead to Health")
	}
	s.send(tea.MouseClickMsg{Button: tea.MouseRight})
}

func TestAKeyThatIsWrittenIsAButton(t *testing.T) {
	s := newStage(120, 24, false)
	s.hear()
	s.click(t, "c copy address")
	s.wants(t, "Copied 10.77.0.6")
	s.click(t, "Copied") // away with the notice
	s.wants(t, "!Copied", "p ping")
	s.click(t, "enter details")
	s.wants(t, "esc back")
	s.click(t, "p ping")
	s.wants(t, "p stop ping")
	s.send(tea.MouseClickMsg{Button: tea.MouseBackward})
	s.wants(t, "enter details")
	s.click(t, "? help")
	s.wants(t, "Everywhere")
	s.click(t, "/ ") // in the help, too: the filter
	s.press("web")
	s.wants(t, "!Everywhere", "2 of 5")
	s.clickAt(1, 23) // the line takes words now
	s.press("esc")
	s.click(t, "? help", "pgup pgdn")
	s.wants(t, "!Everywhere")
	s.click(t, "? help", "esc back")
	s.wants(t, "!Everywhere")
	s.click(t, "q quit")
	if !s.quit {
		t.Error("q quit does not")
	}
}

func TestDialogsAreAnsweredWithTheMouse(t *testing.T) {
	s := newStage(120, 30, true)
	s.other = &ruler{}
	s.staff()
	s.hear()
	s.click(t, "Nodes", "x remove")
	before := len(s.ruler.done)
	s.clickAt(1, 1) // beside the box
	s.click(t, "n no")
	s.wants(t, "!Remove rig")
	if len(s.ruler.done) != before {
		t.Errorf("a no was a yes: %q", s.ruler.done)
	}
	s.click(t, "x remove", "y yes")
	s.did(t, "delete "+s.ruler.nodes[0].ID.String())
	s.click(t, "rig is removed", "t tag", "› lab") // into the field, at its beginning
	s.press("z")
	s.wants(t, "› zlab")
	s.click(t, "enter does it")
	s.did(t, "tag "+s.ruler.nodes[0].ID.String()+" +[zlab] -[lab]")
	s.click(t, "the tags of rig", "r rename", "esc does not")
	s.wants(t, "!Rename")
	s.press("L")
	s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	s.click(t, "esc does not")
	s.press("L")
	s.click(t, "vpn.example.org")
	s.wants(t, "Now as work")
}

func TestASecretHasButtons(t *testing.T) {
	s := newStage(100, 30, true)
	s.staff()
	s.hear()
	s.click(t, "Keys", "n new key", "enter does it", "c copy")
	s.wants(t, "New join key", "Copied")
	s.click(t, "New join key") // nothing
	s.click(t, "r as QR code")
	s.wants(t, "█ ▄▄ █")
	s.click(t, "r as text", "esc done")
	s.wants(t, "!cvjoin1_", "NETWORK")
}

func TestTablesAreSortedByTheirHeads(t *testing.T) {
	s := newStage(100, 30, true)
	s.staff()
	s.hear()
	names := func() string {
		var all []string
		for _, n := range s.nodes.nodes {
			all = append(all, n.Name)
		}
		return strings.Join(all, " ")
	}
	s.press("7", "end") // laptop
	for _, step := range []struct{ head, want string }{
		{"NODE", "rig laptop db-1"}, {"NODE", "rig db-1 laptop"}, {"ADDRESS", "rig laptop db-1"}, {"ADDRESS", "rig db-1 laptop"}, {"OWNER", "rig laptop db-1"},
	} {
		s.click(t, step.head)
		if got := names(); got != step.want {
			t.Errorf("by %s: %s, want %s", step.head, got, step.want)
		}
		if n := s.nodes.current(); n.Name != "laptop" {
			t.Errorf("the cursor is on %s", n.Name)
		}
	}
	s.click(t, "db-1", "db-1")
	s.wants(t, "esc back")
	s.press("esc", "8")
	s.click(t, "ADMITTED")
	if s.keys.keys[0].Used != 12 {
		t.Error("keys are not sorted by how often they were used")
	}
	for range 20 {
		s.press("o", "O")
	}
	s.ruler.nodes, s.ruler.keys = []admin.Node{}, nil
	s.press("R", "7", "R", "o", "O")
	fits(t, s)
}

func TestFieldsOfPolicyAreClicked(t *testing.T) {
	s := newStage(100, 30, true)
	s.deny()
	s.hear()
	s.click(t, "Policy", "top") // of laptop
	s.press("x")
	s.click(t, "443/tcp")
	s.press("8")
	if s.policy.fields[askFrom].Text() != "lapxtop" || s.policy.fields[askService].Text() != "8443/tcp" {
		t.Errorf("%q %q", s.policy.fields[askFrom].Text(), s.policy.fields[askService].Text())
	}
	s.press("3")
	s.press("esc", "3")
	s.click(t, "db-1:5432", "db-1:5432")
	s.wants(t, "May one begin to talk")
}

func TestTheChosenTabIsSeen(t *testing.T) {
	s := newStage(40, 12, true)
	s.staff()
	s.hear()
	for p := range s.last() {
		s.press("esc", string(rune('1'+p)), "esc") // Policy takes text at first
		s.wants(t, s.screens[p].title())
		s.click(t, s.screens[p].title())
		if s.at != p {
			t.Errorf("a click on %s leads to %d", s.screens[p].title(), s.at)
		}
	}
}

func TestTheBannerLeadsToWhatToDo(t *testing.T) {
	s := newStage(100, 30, false)
	s.hear()
	s.twin.err = errDown
	s.hear()
	s.click(t, "db-1")
	if p := s.peers.current(); p.name != "db-1" {
		t.Errorf("below the banner a click hits %s", p.name)
	}
	s.click(t, "The daemon does not answer")
	if s.at != placeHealth {
		t.Errorf("it leads to %d", s.at)
	}
}

// TestNoClickPanicsAnywhere clicks on every place of every scene.
func TestNoClickPanicsAnywhere(t *testing.T) {
	for _, scene := range scenes {
		for _, size := range [][2]int{{60, 20}, {120, 24}, {9, 3}} {
			for y := range size[1] {
				s := newStage(size[0], size[1], scene.logged)
				scene.play(s)
				for x := y % 7; x < size[0]; x += 7 {
					s.clickAt(x, y)
					s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
				}
				fits(t, s)
			}
		}
	}
}
