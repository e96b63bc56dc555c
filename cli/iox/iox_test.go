package iox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func terminal(in string) (*IO, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return &IO{In: strings.NewReader(in), Out: &out, Err: &err}, &out, &err
}

func TestATableIsAlignedAndFitsTheTerminal(t *testing.T) {
	o, out, _ := terminal("")
	table := Table{Indent: "  ", Heads: []string{"PEER", "ENDPOINT", "SENT"}}
	table.Row("db", "192.0.2.7:41641", "1.2 MiB")
	table.Row("a-very-long-name-of-a-peer", "", Cell(Green, "0 B"))
	table.Print(o)
	want := "  PEER                        ENDPOINT         SENT\n" +
		"  db                          192.0.2.7:41641  1.2 MiB\n" +
		"  a-very-long-name-of-a-peer  -                0 B\n"
	if out.String() != want {
		t.Errorf("got\n%s", out)
	}
	for _, width := range []int{20, 40, 50} {
		out.Reset()
		o.Width = width
		table.Print(o)
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width >= 40 && n > width {
				t.Errorf("at width %d a line has %d: %q", width, n, line)
			}
		}
		if !strings.Contains(out.String(), "…") {
			t.Errorf("at width %d nothing was cut:\n%s", width, out)
		}
	}
}

// TestWideLettersKeepColumnsApart: an ideograph takes two cells, a combining mark none.
func TestWideLettersKeepColumnsApart(t *testing.T) {
	o, out, _ := terminal("")
	table := Table{}
	table.Row("事務所", "up")
	table.Row("cafe\u0301", "down")
	table.Print(o)
	if want := "事務所  up\ncafe\u0301    down\n"; out.String() != want {
		t.Errorf("got\n%s", out)
	}
}

func TestColourStaysOutOfPipes(t *testing.T) {
	o, out, _ := terminal("")
	table := Table{}
	table.Row(Cell(Red, "failed"))
	table.Print(o)
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("got %q", out)
	}
	o.Color = true
	table.Print(o)
	if !strings.Contains(out.String(), "\x1b[31mfailed\x1b[0m") {
		t.Errorf("got %q", out)
	}
}

func TestForeignStringsAreHarmlessEverywhere(t *testing.T) {
	o, out, errs := terminal("")
	evil := "\x1b]0;owned\x07\u202ename\nsecond"
	o.Printf("%s %v %v", evil, errors.New(evil), fmt.Stringer(stringer(evil)))
	o.Notef("%s", evil)
	o.Fail("cvlan", &Error{What: evil, Why: evil, Hint: evil})
	table := Table{}
	table.Row(evil, Cell(Bold, evil))
	table.Print(o)
	if err := (Output{Template: "{{.name}} {{index .list 0}}"}).Write(o, map[string]any{"name": evil, "list": []string{evil}}, nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{out.String(), errs.String()} {
		if strings.ContainsAny(s, "\x1b\x07\u202e") {
			t.Errorf("got %q", s)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("a name broke a line: %q", out)
	}
}

type stringer string

func (s stringer) String() string { return string(s) }

func TestAnErrorSaysWhatWhyAndWhatNext(t *testing.T) {
	o, _, errs := terminal("")
	o.Fail("cvlan", &Error{Exit: NotFound, What: "show db", Why: "no such node", Hint: "list them:\ncvlan admin node list"})
	if want := "cvlan: show db: no such node\n  list them:\n  cvlan admin node list\n"; errs.String() != want {
		t.Errorf("got %q", errs)
	}
	if ExitOf(fmt.Errorf("wrapped: %w", &Error{Exit: Denied})) != Denied || ExitOf(nil) != OK || ExitOf(errors.New("x")) != Internal {
		t.Error("exit codes")
	}
	seen := map[Exit]bool{}
	for _, e := range Exits() {
		if seen[e.Code] || e.Meaning == "" {
			t.Errorf("%+v", e)
		}
		seen[e.Code] = true
	}
}

func TestOnlyAPersonIsAsked(t *testing.T) {
	for _, c := range []struct {
		typed  string
		person bool
		want   bool
	}{{"y\n", true, true}, {"YES\nrest", true, true}, {"\n", true, false}, {"", true, false}, {"no\n", true, false}, {"", false, true}} {
		o, _, errs := terminal(c.typed)
		o.InTTY, o.ErrTTY = c.person, c.person
		if got := o.Confirm("Delete?"); got != c.want || c.person != strings.Contains(errs.String(), "Delete? [y/N]") {
			t.Errorf("%q: %v, %q", c.typed, got, errs)
		}
	}
}

// full is a disk without room.
type full struct{ writes int }

func (f *full) Write([]byte) (int, error) {
	f.writes++
	return 0, errors.New("no space left")
}

func TestAResultThatCannotBeWrittenIsNoticedOnce(t *testing.T) {
	disk, lost := &full{}, 0
	o := &IO{In: strings.NewReader(""), Out: disk}
	o.Bind(t.Context(), func() { lost++ })
	if o.Printf("a"); o.Lost() == nil {
		t.Error("nothing was noticed")
	}
	if o.Printf("b"); lost != 1 || disk.writes != 1 {
		t.Errorf("told %d times, written %d times", lost, disk.writes)
	}
	o.Bind(t.Context(), nil)
	if _, out := o.Direct(); out != disk || o.Lost() != nil {
		t.Error("bound anew, the stream is another or remembers")
	}
}

func TestAContextEndsARead(t *testing.T) {
	in, typed := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	o := &IO{In: in, Out: io.Discard}
	o.Bind(ctx, nil)
	go typed.Write([]byte("yes"))
	b := make([]byte, 8)
	if n, err := o.In.Read(b); string(b[:n]) != "yes" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
	time.AfterFunc(0, cancel)
	if _, err := o.In.Read(b); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	o.Heed(t.Context())
	go typed.Write([]byte("no")) // a read that was ended may have got it
	go typed.Write([]byte("no"))
	if n, err := o.In.Read(b); string(b[:n]) != "no" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
	typed.Close()
}

func TestATemplateUsesTheNamesOfJSON(t *testing.T) {
	o, out, _ := terminal("")
	doc := struct {
		Names []string `json:"names"`
		Count int      `json:"count,omitempty"`
	}{[]string{"a", "b"}, 0}
	if err := (Output{Template: `{{join .names "+"}} {{json .}}`}).Write(o, doc, nil); err != nil || out.String() != "a+b {\"names\":[\"a\",\"b\"]}\n" {
		t.Errorf("got %q, %v", out, err)
	}
	for _, bad := range []string{"{{", "{{.names.x}}"} {
		if err := (Output{Template: bad}).Write(o, doc, nil); ExitOf(err) != Usage {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestBriefIsTheNamesAlone(t *testing.T) {
	o, out, _ := terminal("")
	doc := map[string]any{"networks": []any{
		map[string]any{"id": "v1", "peers": []any{map[string]any{"id": "n1", "at": []string{"10.0.0.1", "fd00::1"}, "rx": 1 << 40}, map[string]any{"id": ""}}},
		map[string]any{"id": "v2\x1b[2J", "peers": nil},
	}}
	for path, want := range map[string]string{
		"networks.id": "v1\nv2\ufffd[2J\n", "networks.peers.id": "n1\n", "networks.peers.at": "10.0.0.1\nfd00::1\n",
		"networks.peers.rx": "1099511627776\n", "networks.peers": "", "networks.none.id": "", "networks.id.none": "",
	} {
		out.Reset()
		if err := (Output{Quiet: true, Brief: path}).Write(o, doc, nil); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v, want %q", path, out, err, want)
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1288490: "1.2 MiB", 1 << 40: "1.0 TiB", 1<<20 - 1: "1.0 MiB", 1<<64 - 1: "16.0 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	now := time.Unix(1e9, 0)
	for d, want := range map[time.Duration]string{0: "now", 12 * time.Second: "12s ago", 59*time.Minute + 59*time.Second: "1h ago", 47 * time.Hour: "47h ago", 6*24*time.Hour + 23*time.Hour: "7d ago"} {
		if got := Ago(now, now.Add(-d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	if Ago(now, time.Time{}) != "" || Until(now, time.Time{}) != "never" || Until(now, now.Add(time.Hour)) != "in 1h" || Until(now, now.Add(-time.Hour)) != "1h ago" {
		t.Error("times that are none, ahead or past")
	}
}

func TestDurationsAsPeopleWriteThem(t *testing.T) {
	day := 24 * time.Hour
	for s, want := range map[string]time.Duration{"90s": 90 * time.Second, "12h": 12 * time.Hour, "7d": 7 * day, "2w": 14 * day, "1d12h": 36 * time.Hour, "0": 0, "1h30m": 90 * time.Minute} {
		if got, err := ParseSpan(s); err != nil || got != want {
			t.Errorf("%s is %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "7", "d", "-7d", "-1h", "1h2d", "99999d", "7 d", "1dd", "forever", "4095w4095w", "2000000h"} {
		if got, err := ParseSpan(s); err == nil {
			t.Errorf("%q passed as %v", s, got)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	f.Add("1w2d3h")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseSpan(s); err == nil && (d < 0 || d > maxSpan) {
			t.Fatalf("%q is %v", s, d)
		}
	})
}
