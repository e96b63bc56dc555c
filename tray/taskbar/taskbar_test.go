package taskbar

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/cvlan/cvlan/tray/menu"
)

func TestANumberLeadsToItsAction(t *testing.T) {
	var c commands
	a, b := menu.Action{Verb: menu.Up}, menu.Action{Verb: menu.Copy, Text: "10.0.0.1"}
	if c.number(menu.Action{}) != 0 || c.action(c.number(a)) != a || c.action(c.number(b)) != b {
		t.Error(c)
	}
	if c.action(0) != (menu.Action{}) || c.action(99) != (menu.Action{}) {
		t.Error("a number that was not given out does something")
	}
}

func TestTextFitsItsField(t *testing.T) {
	for _, s := range []string{"", "office", strings.Repeat("x", 300), strings.Repeat("😀", 300)} {
		var f [64]uint16
		put(f[:], s)
		if f[63] != 0 {
			t.Errorf("%.10q does not end", s)
		}
		end := 0
		for f[end] != 0 {
			end++
		}
		if got := string(utf16.Decode(f[:end])); !strings.HasPrefix(s, got) || len(s) < 60 && got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := label("R&D\tlab"); got != "R&&D lab" {
		t.Error(got)
	}
}
