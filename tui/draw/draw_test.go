package draw

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/cvlan/cvlan/internal/base/cells"
)

func TestTheGroundIsTakenFromTheTerminalsWord(t *testing.T) {
	for word, want := range map[string]*Theme{"": Dark(), "15;0": Dark(), "0;15": Light(), "0;default;7": Light(), "7;8": Dark(), "0;default": Dark(), "0;99": Dark(), ";": Dark()} {
		if got := Told(word); *got != *want {
			t.Errorf("%q: %+v", word, got)
		}
	}
}

func TestALineNeverGrowsBeyondItsRoom(t *testing.T) {
	ground := Style{Back: RGB(0x303030)}
	for room := range 30 {
		l := NewLine(room, ground).Put(Style{Bold: true}, "日本語 name").Cell(Style{}, "right", 8, true).To(20).Raw("\x1b[1mraw\x1b[m", 3).Put(Style{}, "rest")
		if got := ansi.StringWidth(l.Full()); got != room {
			t.Errorf("in a room of %d it is %d wide: %q", room, got, l.Full())
		}
	}
	if got := NewLine(9, Style{}).Cell(Style{}, "ab", 4, true).Put(Style{}, "c").String(); got != "  abc" {
		t.Errorf("got %q", got)
	}
}

func TestTextIsBrokenAtBlanks(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 5, ""},
		{"type cvlan admin login --key-file FILE now", 30, "type cvlan admin login|--key-file FILE now"},
		{"  far in it goes on", 10, "  far in|  it goes|  on"},
		{"abcdefghij kl", 4, "abcd|efgh|ij|kl"},
		{"一二三四 五", 4, "一二|三四|五"},
		{"一", 1, ""},
		{"one\ntwo", 9, "one|two"},
		{"x", 0, ""},
	} {
		if got := strings.Join(Wrap(c.text, c.width), "|"); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestColumnsGoByRankAndShareWhatIsLeft(t *testing.T) {
	c := []Column{{Min: 1, Rank: 0}, {Min: 10, Most: 20, Rank: 1}, {Min: 8, Rank: 3}, {Min: 6, Most: 30, Rank: 2}}
	for room, want := range map[int][]int{0: {0, 0, 0, 0}, 3: {1, 0, 0, 0}, 13: {1, 10, 0, 0}, 21: {1, 10, 0, 6}, 25: {1, 14, 0, 6}, 31: {1, 10, 8, 6}, 60: {1, 20, 8, 25}} {
		got := Widths(c, room)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("in %d cells the columns are %v, want %v", room, got, want)
				break
			}
		}
	}
	w := []int{1, 0, 10}
	for x, want := range map[int]int{0: 0, 1: -1, 2: -1, 3: 2, 12: 2, 13: -1} {
		if got := At(w, x); got != want {
			t.Errorf("cell %d is of column %d, want %d", x, got, want)
		}
	}
}

func TestGraphs(t *testing.T) {
	if got := Spark([]float64{9, 0, 1, 8, math.NaN(), 16}, 5, 16); got != " ▁▄ ▇" {
		t.Errorf("spark %q", got)
	}
	plain := func(int) Style { return Style{} }
	got := Bars([]float64{1, math.NaN(), 2, 4}, 6, 2, 4, plain)
	if want := "     █\n  ▄×██"; strings.Join(got, "\n") != want {
		t.Errorf("bars\n%s", strings.Join(got, "\n"))
	}
	for _, v := range [][]float64{nil, {math.Inf(1)}, {-1}, {0}} {
		for w := range 4 {
			for _, l := range Bars(v, w, 3, 1, plain) {
				if cells.Width(l) != w {
					t.Errorf("%v: %q is not %d wide", v, l, w)
				}
			}
			Spark(v, w, 1)
		}
	}
}

func TestABlockOverLines(t *testing.T) {
	got := Above([]string{"abcdefgh", "日本語日本", "x"}, []string{"[1]", "[2]", "[3]", "[4]"}, 3, 0, 3)
	for i, want := range []string{"abc[1]gh", "日 [2]日本", "x  [3]"} {
		if s := ansi.Strip(got[i]); s != want {
			t.Errorf("line %d is %q, want %q", i, s, want)
		}
	}
}

func TestTheEditorKnowsTheUsualKeys(t *testing.T) {
	var e Editor
	e.Insert("tag:web ber\x1blin\n")
	for _, k := range []string{"left", "left", "left", "backspace", "delete", "home", "delete", "end", "ctrl+w"} {
		if !e.Key(k) {
			t.Errorf("%s means nothing", k)
		}
	}
	if e.Text() != "ag:web " {
		t.Errorf("got %q", e.Text())
	}
	e.Key("left")
	e.Key("ctrl+u")
	if e.Text() != " " || e.Key("f9") {
		t.Errorf("got %q", e.Text())
	}
	e.Set(strings.Repeat("ü", 500))
	if utf8.RuneCountInString(e.Text()) != maxTyped {
		t.Error("there is no bound")
	}
}

func FuzzEditor(f *testing.F) {
	f.Add("abc", "left backspace x", 10)
	f.Add("日本語", "ctrl+w ü home ctrl+k", 3)
	f.Fuzz(func(t *testing.T, text, keys string, room int) {
		var e Editor
		e.Set(text)
		for _, k := range strings.Fields(keys) {
			if !e.Key(k) {
				e.Insert(k)
			}
		}
		room = min(max(room, 0), 300)
		l := NewLine(room, Style{})
		e.Draw(l, Style{}, true)
		if n := ansi.StringWidth(l.String()); n > room {
			t.Fatalf("%q is %d wide in a room of %d", l.String(), n, room)
		}
		if strings.ContainsAny(e.Text(), "\x1b\n\x00") {
			t.Fatalf("%q was typed", e.Text())
		}
	})
}
