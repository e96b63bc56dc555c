package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the pictures anew")

// scenes are what the goldens show.
var scenes = []struct {
	name   string
	logged bool
	play   func(*stage)
}{
	{"peers", false, func(s *stage) { s.traffic() }},
	{"filter", false, func(s *stage) { s.traffic(); s.press("/", "web") }},
	{"details", false, func(s *stage) {
		s.traffic()
		s.twin.rtts = []time.Duration{12e6, 14e6, 0, 40e6, 13e6}
		s.press("down", "p")
		for range 4 {
			s.pass(0)
		}
	}},
	{"proof", true, func(s *stage) { s.speakIPsec(); s.traffic(); s.press("down", "enter", "pgdown") }},
	{"health", false, func(s *stage) { s.hear(); s.press("2") }},
	{"away", false, func(s *stage) { s.stopped(); s.pass(0) }},
	{"lost", false, func(s *stage) { s.traffic(); s.stopped(); s.pass(0) }},
	{"mend", false, func(s *stage) { s.hear(); s.spoil(); s.press("2", "f") }},
	{"logins", true, func(s *stage) { s.staff(); s.hear(); s.press("7", "L") }},
	{"nowhere", false, func(s *stage) { s.twin.status.Networks = nil; s.hear() }},
	{"denials", false, func(s *stage) { s.deny(); s.hear(); s.press("3", "down") }},
	{"log", false, func(s *stage) { s.hear(); s.changes(); s.press("4") }},
	{"networks", false, func(s *stage) { s.second(); s.hear(); s.press("5", "down") }},
	{"exits", false, func(s *stage) { s.leave(); s.hear(); s.press("5", "down", "x", "down") }},
	{"exit", false, func(s *stage) { s.leave(); s.hear(); s.pass(0); s.press("down", "enter") }},
	{"routes", true, func(s *stage) { s.staff(); s.hear(); s.press("7", "down", "v") }},
	{"check", false, func(s *stage) { s.deny(); s.hear(); s.press("2", "n") }},
	{"policy", true, func(s *stage) { s.hear(); s.press("down", "e") }},
	{"nodes", true, func(s *stage) { s.staff(); s.hear(); s.press("7", "down") }},
	{"node", true, func(s *stage) { s.staff(); s.hear(); s.press("7", "down", "enter"); s.pass(0) }},
	{"tags", true, func(s *stage) { s.staff(); s.hear(); s.press("7", "t", " gpu") }},
	{"remove", true, func(s *stage) { s.staff(); s.hear(); s.press("7", "x") }},
	{"keys", true, func(s *stage) { s.staff(); s.hear(); s.press("8") }},
	{"newkey", true, func(s *stage) { s.staff(); s.hear(); s.press("8", "n", "enter") }},
	{"code", true, func(s *stage) { s.staff(); s.hear(); s.press("8", "n", "enter", "r") }},
	{"help", false, func(s *stage) { s.hear(); s.press("?") }},
}

// traffic lets some seconds pass in which the first peer sends.
func (s *stage) traffic() {
	s.hear()
	for i := range 30 {
		s.pass(uint64(i*i) << 10)
	}
}

func TestScreensAreDrawnAsTheyWereLookedAt(t *testing.T) {
	for _, scene := range scenes {
		for _, size := range [][2]int{{60, 20}, {120, 40}} {
			name := fmt.Sprintf("%s-%dx%d", scene.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				s := newStage(size[0], size[1], scene.logged)
				scene.play(s)
				fits(t, s)
				golden(t, name, s.screen())
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (write it anew with -update and look at it): %v\n%s", path, err, got)
	}
}

// fits checks that what is drawn has as many lines as the terminal, and none that is too long.
func fits(t *testing.T, s *stage) {
	t.Helper()
	lines := strings.Split(s.View().Content, "\n")
	if len(lines) != s.height {
		t.Errorf("%d lines on a terminal of %d", len(lines), s.height)
	}
	for _, l := range lines {
		if n := ansi.StringWidth(l); n > s.width {
			t.Errorf("a line of %d on a terminal of %d: %q", n, s.width, ansi.Strip(l))
		}
	}
}

func TestNoTerminalIsTooSmall(t *testing.T) {
	for _, scene := range scenes {
		s := newStage(80, 24, scene.logged)
		scene.play(s)
		for _, size := range [][2]int{{300, 80}, {80, 24}, {1, 1}, {2, 300}, {300, 2}} {
			s.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			fits(t, s)
		}
		for w := 1; w < 140; w += 1 + w/9 {
			for h := 1; h < 40; h += 1 + h/9 {
				s.send(tea.WindowSizeMsg{Width: w, Height: h})
				fits(t, s)
			}
		}
	}
}
