package acl

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab/measure"
)

var update = flag.Bool("update", false, "write the goldens anew")

func options() Options { return Options{Zone: time.LoadLocation} }

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares got with the file beside the document.
func golden(t *testing.T, document, got string) {
	t.Helper()
	path := strings.TrimSuffix(document, ".hujson") + ".txt"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(read(t, path)); got != want {
		t.Errorf("%s\n--- got\n%s\n--- want\n%s\n(go test ./policy/acl -update writes it anew)", path, got, want)
	}
}

func documents(t *testing.T, folder string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join("testdata", folder, "*.hujson"))
	if err != nil || len(list) == 0 {
		t.Fatal("no documents", err)
	}
	return list
}

func TestGoodDocumentsMeanWhatTheGoldensSay(t *testing.T) {
	for _, path := range documents(t, "good") {
		d, problems := Parse(read(t, path), options())
		if d == nil {
			t.Errorf("%s: %v", path, problems)
			continue
		}
		golden(t, path, describe(d)+problems.Error()+"\n")
	}
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	for _, path := range documents(t, "problems") {
		d, problems := Parse(read(t, path), options())
		if d != nil {
			t.Errorf("%s: accepted", path)
		}
		golden(t, path, problems.Error()+"\n")
	}
}

// describe writes all that a document says, one thing a line.
func describe(d *Document) string {
	var b strings.Builder
	for _, g := range d.Groups {
		fmt.Fprintf(&b, "%s = %v\n", g.Name, g.Members)
	}
	for _, o := range d.TagOwners {
		fmt.Fprintf(&b, "%s owners %s\n", o.Tag, selectors(o.Owners))
	}
	for _, h := range d.Hosts {
		fmt.Fprintf(&b, "host %s = %v\n", h.Name, h.Prefix)
	}
	for _, p := range d.Postures {
		fmt.Fprintf(&b, "%s = %q\n", p.Name, p.Conditions)
	}
	for _, r := range d.Routes {
		fmt.Fprintf(&b, "route %v approved for %s\n", r.Prefix, selectors(r.Approvers))
	}
	for _, r := range d.Rules {
		fmt.Fprintf(&b, "%s at %v deny=%v priority=%d src %s", r.Path, r.Pos, r.Deny, r.Priority, selectors(r.Src))
		for _, t := range r.Dst {
			fmt.Fprintf(&b, " dst %s %v", selectors([]Selector{t.Selector}), t.Services)
		}
		if r.When != nil {
			fmt.Fprintf(&b, " when %v", r.When)
		}
		fmt.Fprintf(&b, " postures=%v ipsec=%v %q\n", r.Postures, r.IPsec, r.Description)
	}
	for _, t := range d.Tests {
		fmt.Fprintf(&b, "%s src %s attrs=%v at=%v", t.Path, selectors([]Selector{t.Src}), t.Attrs, t.When.UTC())
		for i, list := range [][]Probe{t.Accept, t.Deny} {
			for _, p := range list {
				fmt.Fprintf(&b, " %s %s %v", [2]string{"accept", "deny"}[i], selectors([]Selector{p.Selector}), p.Services)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func selectors(list []Selector) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%d:%s%v@%v", s.Kind, s.Name, s.Prefixes, s.Pos))
	}
	return strings.Join(out, " ")
}

// What a document costs is the processor's time, which other programs on the machine take none of. The dearest of these takes a
// fraction of a second; unbounded, some took many minutes.
func TestHostileDocumentsCostLittle(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, text := range map[string]string{
		"too big":        `{"acls": "` + strings.Repeat("x", MaxSize) + `"}`,
		"deep":           strings.Repeat("[", 1<<20),
		"deep in a word": `{"acls":` + strings.Repeat(`{"a":`, 1000) + strings.Repeat("}", 1000) + "}",
		"many problems":  `{"acls": [` + strings.Repeat(`{"src": ["nobody"], "dst": ["nowhere:1"]},`, 10_000) + "]}",
		"one line":       `{"acls": [` + strings.Repeat(`{"src": ["a@b"], "dst": ["*:"]},`, 100_001) + "]}",
		"many unknown":   `{` + fields(100_000) + `}`,
		"comments":       strings.Repeat("/*", 1<<20),
		"ranges":         `{"acls": [` + strings.Repeat(`{"src": ["::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"], "dst": ["*:*"]},`, 20_000) + `]}`,
		"pairs":          `{"acls": [{"src": [` + strings.Repeat(`"*",`, 1000) + `], "dst": [` + strings.Repeat(`"*:*",`, 1000) + `]}]}`,
	} {
		start, _ := measure.Thread()
		d, problems := Parse([]byte(text), options())
		if d != nil || !problems.Failed() || len(problems) > 2*(MaxProblems+1) {
			t.Errorf("%s: accepted, or %d problems", name, len(problems))
		}
		if end, err := measure.Thread(); err != nil {
			t.Log(err)
		} else if end-start > 20*time.Second {
			t.Errorf("%s took %v of the processor", name, end-start)
		}
	}
}

// Two fields of one name are two meanings, of which a reader sees one and a parser takes another.
func TestNothingMayStandTwice(t *testing.T) {
	for _, text := range []string{
		`{"acls": [], "acls": []}`, `{"acls": [{"src": ["*"], "src": ["a@b.c"], "dst": ["*:*"]}]}`, `{"hosts": {"a": "10.0.0.1", "a": "10.0.0.2"}}`,
		`{"tests": [{"src": "a@b.c", "src": "b@b.c", "accept": []}]}`, `{"acls": [{"src": ["*"], "dst": ["*:*"], "when": {"days": "mon", "days": "tue"}}]}`,
		`{"tagOwners": {"tag:a": [], "tag:a": []}}`, `{"postures": {"posture:a": [], "posture:a": []}}`, `{"autoApprovers": {"routes": {"10.0.0.0/8": [], "10.0.0.0/8": []}}}`,
	} {
		if d, problems := Parse([]byte(text), options()); d != nil || !strings.Contains(problems.Error(), "stands twice, first at 1:") {
			t.Errorf("%s: %v", text, problems)
		}
	}
}

// A range is the prefixes that cover it and nothing else, in order, as few as can be.
func TestARangeIsItsPrefixes(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1-10.0.0.1":                          "10.0.0.1/32",
		"10.0.0.0-10.0.0.255":                        "10.0.0.0/24",
		"10.0.0.1-10.0.0.6":                          "10.0.0.1/32 10.0.0.2/31 10.0.0.4/31 10.0.0.6/32",
		"10.0.0.254-10.0.1.1":                        "10.0.0.254/31 10.0.1.0/31",
		"0.0.0.0-255.255.255.255":                    "0.0.0.0/0",
		"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "::/0",
		"fd00::3-fd00::8":                            "fd00::3/128 fd00::4/126 fd00::8/128",
		"255.255.255.254-255.255.255.255":            "255.255.255.254/31",
	} {
		list, problem := addresses(text)
		var got []string
		for _, p := range list {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != want || problem != "" {
			t.Errorf("%s: %v %s", text, got, problem)
		}
	}
	if list, _ := addresses("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"); len(list) != 254 {
		t.Errorf("the longest has %d prefixes", len(list))
	}
	if list, _ := addresses("0.0.0.1-255.255.255.254"); len(list) != 62 {
		t.Errorf("the longest of IPv4 has %d prefixes", len(list))
	}
}

// Old spellings and sections that do not exist here are warnings, of which a long document has thousands. The one error among them is told.
func TestWarningsHideNoError(t *testing.T) {
	text := `{"acls": [` + strings.Repeat(`{"users": ["*"], "ports": ["*:22"]},`+"\n", MaxProblems) + `{"src": ["*"], "dst": ["*"]}]}`
	_, problems := Parse([]byte(text), options())
	want := fmt.Sprintf("%d:24: acls[%d].dst[0]: \"*\": no ports; write *:* or *:443", MaxProblems+1, MaxProblems)
	if !strings.Contains(problems.Error(), want) || len(problems) != MaxProblems+2 || problems[MaxProblems+1].What != fmt.Sprintf("and %d more warnings", MaxProblems) ||
		problems[MaxProblems+1].More != MaxProblems {
		t.Errorf("%d problems, the last are %v", len(problems), problems[len(problems)-2:])
	}
}

// A denial of whom nobody can be would leave open what it is meant to close. One that somebody may be is left alone.
func TestADenialThatNoNodeCanBeMeantByIsRefused(t *testing.T) {
	const postures = `{"postures": {"posture:a": ["node:os == 'linux'", "custom:rooted == true"], "posture:b": ["custom:managed NOT SET"], "posture:c": ["ip:country == 'XX'"]},
"acls": [{"action": "%s", "src": ["*"], "dst": ["*:*"], "posture": [%s]}]}`
	for _, c := range []struct {
		action, names string
		refused       bool
	}{
		{"deny", `"posture:a"`, true}, {"deny", `"posture:a", "posture:c"`, true}, {"deny", `"posture:b"`, false}, {"deny", `"posture:a", "posture:b"`, false},
		{"accept", `"posture:a"`, false}, {"deny", ``, false},
	} {
		document := fmt.Appendf(nil, postures, c.action, c.names)
		d, problems := Parse(document, options())
		if d == nil != c.refused || c.refused && !strings.Contains(problems.Error(), "2:10: acls[0].posture: ") {
			t.Errorf("%s %s: %v", c.action, c.names, problems)
		}
		if d, problems := Parse(document, Options{Kept: true}); d == nil {
			t.Errorf("%s %s, in force: %v", c.action, c.names, problems)
		}
	}
}

// A star that is part of no form is part of a name that nobody has: what names it would select nobody, and a denial would deny nobody.
func TestAStarIsNoLetterOfAName(t *testing.T) {
	for text, hint := range map[string]string{
		"*@example.com": "everybody with that domain is user:*@example.com", "user:*": "", "user:*@": "", "user:*@*": "", "user:*@a@b": "", "ann*@example.com": "", "user:": "", "*@*": "",
	} {
		for _, rule := range []string{`{"src": [%q], "dst": ["*:*"]}`, `{"src": ["*"], "dst": [%q]}`, `{"action": "deny", "src": [%q], "dst": ["*:*"]}`} {
			section, shown := "acls", text
			if strings.Contains(rule, `"dst": [%q]`) {
				shown += ":22"
			}
			document := fmt.Appendf(nil, `{%q: [`+rule+`]}`, section, shown)
			d, problems := Parse(document, options())
			if d != nil || len(problems) != 1 || problems[0].Text != text || problems[0].What != "not a user" || !strings.Contains(problems[0].Hint, hint) {
				t.Errorf("%s in %s: %v", text, rule, problems)
			}
			if d, problems := Parse(document, Options{Kept: true}); d == nil || len(problems) != 1 || d.Rules[0].Src[0].Kind != Nobody && d.Rules[0].Dst[0].Kind != Nobody {
				t.Errorf("%s in %s, in force: %v", text, rule, problems)
			}
		}
		if d, problems := Parse(fmt.Appendf(nil, `{"groups": {"group:g": [%q]}}`, text), options()); text != "user:" && (d != nil || problems[0].What != "no user has this name") {
			t.Errorf("%s in a group: %v", text, problems)
		}
	}
}

func fields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"field%d": 1,`, i)
	}
	return b.String()
}

func TestTheReferencesExampleIsGood(t *testing.T) {
	_, rest, _ := strings.Cut(string(read(t, "../../docs/reference/policy.md")), "```jsonc\n")
	example, _, ok := strings.Cut(rest, "```")
	if d, problems := Parse([]byte(example), Options{}); !ok || d == nil || len(problems) > 0 {
		t.Errorf("docs/reference/policy.md: %v", problems)
	}
}

func TestGroupsOfTheDirectoryAreKnown(t *testing.T) {
	doc := []byte(`{"acls": [{"src": ["group:sales"], "dst": ["*:*"]}]}`)
	if d, _ := Parse(doc, Options{}); d != nil {
		t.Error("an unknown group passed")
	}
	if d, problems := Parse(doc, Options{Groups: []string{"group:sales"}}); d == nil {
		t.Error(problems)
	}
}

func TestBracketsInWordsAndCommentsAreNoDepth(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1)
	for _, text := range []string{`{"a": "` + deep + `"}`, "// " + deep + "\n{}", "/* " + deep + " */ {}", `{"\"` + deep + `": 1}`} {
		if at := tooDeep([]byte(text)); at >= 0 {
			t.Errorf("%q: too deep at %d", text, at)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, folder := range []string{"good", "problems"} {
		list, _ := filepath.Glob(filepath.Join("testdata", folder, "*.hujson"))
		for _, path := range list {
			f.Add(read(f, path))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, problems := Parse(text, Options{Groups: []string{"group:dir"}})
		if (d == nil) != problems.Failed() {
			t.Fatal("a document and errors, or neither")
		}
		for _, p := range problems {
			if p.Pos.Line < 1 || p.Pos.Column < 1 {
				t.Fatalf("nowhere: %v", p)
			}
		}
		if d == nil {
			return
		}
		for _, r := range d.Rules {
			for _, x := range r.Dst {
				for i, s := range x.Services {
					if s.First > s.Last || s.Last > AllServices || i > 0 && s.First <= x.Services[i-1].Last+1 {
						t.Fatalf("services %v", x.Services)
					}
				}
			}
		}
	})
}
