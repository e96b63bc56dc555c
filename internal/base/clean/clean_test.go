package clean

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLineDisarmsWhatATerminalWouldObey(t *testing.T) {
	for in, want := range map[string]string{
		"web-1":                                 "web-1",
		"Zürich büro":                           "Zürich büro",
		"a\x1b[2Jb":                             "a\ufffd[2Jb",
		"a\nb\r":                                "a\ufffdb\ufffd",
		"pay\u202eexe.txt":                      "pay\ufffdexe.txt",
		"zero\u200bwidth":                       "zero\ufffdwidth",
		"c1\u009b31m":                           "c1\ufffd31m",
		"broken\xff":                            "broken\ufffd",
		"\u0301\u0302name":                      "\ufffd\ufffdname",
		"tre\u0302\u0301n":                      "tre\u0302\u0301n",
		"ก็ ":                                   "ก็ ",
		"\u2800":                                "\ufffd",
		"e" + strings.Repeat("\u0316", 6) + "x": "e" + strings.Repeat("\u0316", 4) + "\ufffd\ufffdx",
		"longer than the room":                  "longer th…",
	} {
		limit := 100
		if strings.HasPrefix(in, "longer") {
			limit = 10
		}
		if got := Line(in, limit); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Text("e\u0301\n\u0301", 100); got != "e\u0301\n\ufffd" {
		t.Errorf("Text = %q", got)
	}
	if got := Text("a\tb\nc\x07", 100); got != "a b\nc\ufffd" {
		t.Errorf("Text = %q", got)
	}
}

func TestLabelsAreRFC1123(t *testing.T) {
	for in, want := range map[string]string{
		"Web_1.example.com": "web-1", "--x--": "x", "ÄÖÜ": "", "a..b": "a", strings.Repeat("a", 80): strings.Repeat("a", 63), "": "",
	} {
		if got := Label(in); got != want {
			t.Errorf("Label(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b]0;title\x07", 20)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := Line(s, limit%1000)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\x07\u202e") || utf8.RuneCountInString(got) > max(0, limit%1000) {
			t.Fatalf("Line(%q, %d) = %q", s, limit%1000, got)
		}
		if again := Line(got, limit%1000); again != got {
			t.Fatalf("Line(%q) = %q: what is clean does not stay as it is", got, again)
		}
		if l := Label(s); l != "" && !IsLabel(l) {
			t.Fatalf("Label(%q) = %q is not a label", s, l)
		}
	})
}

func TestJSONKeepsItsMeaning(t *testing.T) {
	for _, s := range []string{"web-1", "Zürich 漢字", "a\x1b[2Jb", "pay\u202eexe", "c1\u009b31m", "tag\U000e0041", "\ufffd", "two\nlines\t", "\x7f"} {
		doc, err := json.MarshalIndent(map[string]string{"name": s}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got := JSON(doc)
		var back map[string]string
		if err := json.Unmarshal(got, &back); err != nil || back["name"] != s {
			t.Errorf("%q became %q: %v", s, back["name"], err)
		}
		if strings.ContainsFunc(string(got), func(r rune) bool { return harmful(r, true) }) {
			t.Errorf("%q holds what a terminal obeys", got)
		}
	}
}
