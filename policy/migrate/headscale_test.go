package migrate

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/policy/acl"
)

func TestHeadscalesUsersGetADomain(t *testing.T) {
	src, err := os.ReadFile("testdata/headscale.hujson")
	if err != nil {
		t.Fatal(err)
	}
	document, notes, _, err := Headscale(src, "example.com")
	const want = "[hosts.web: 10.20.10.1/29 has bits behind its length, and becomes 10.20.10.0/29 " +
		"rules: 10.20.10.1/29 has bits behind its length, and becomes 10.20.10.0/29 " +
		"rules: fd00::7/64 has bits behind its length, and becomes fd00::/64 " +
		"autoApprovers.routes: 10.1.0.0/8 has bits behind its length, and becomes 10.0.0.0/8]"
	if err != nil || fmt.Sprint(notes) != want {
		t.Fatal(notes, err)
	}
	const path = "testdata/headscale-domain.hujson"
	if *update {
		if err := os.WriteFile(path, document, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, _ := os.ReadFile(path); string(document) != string(want) {
		t.Errorf("got\n%s", document)
	}
	if d, problems := acl.Parse(document, acl.Options{}); d == nil {
		t.Error(problems)
	}
	if again, _, _, err := Headscale(document, ""); err != nil || string(again) != string(document) {
		t.Errorf("whose users have domains changes: %v", err)
	}
	if _, _, _, err := Headscale(src, ""); err == nil || !strings.Contains(err.Error(), `users have no domain, such as "boss"`) {
		t.Error(err)
	}
}

func TestWhatIsNoDocumentIsLeftToItsReader(t *testing.T) {
	for _, s := range []string{"", "{", "[]", `{"groups": 5, "acls": {}}`, `{"groups": {"group:x": "ann@"}}`, strings.Repeat("[", 1000)} {
		document, _, _, err := Headscale([]byte(s), "a.org")
		if err != nil || s != `{"groups": {"group:x": "ann@"}}` && string(document) != s {
			t.Errorf("%q: %q, %v", s, document, err)
		}
	}
}

// What is wrong with a document is told of the file that a person has.
func TestAPlaceIsThatInTheOriginal(t *testing.T) {
	const src = `{"groups": {"group:é": ["é@", "b@"]}, // é
	"acls": [{"src": ["a@", "tag:no", "b@"], "dst": ["a@:x", "tag:no:22"]},
	{"src": ["tag:no"], "dst": ["a@:22", "tag:no:22"]}]}`
	document, _, moves, err := Headscale([]byte(src), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	_, got := acl.Parse(document, acl.Options{})
	for i := range got {
		got[i].Pos = moves.Back(got[i].Pos)
	}
	lines := strings.Split(src, "\n")
	for _, p := range got {
		if word := string([]rune(lines[p.Pos.Line-1])[p.Pos.Column-1:]); !strings.HasPrefix(word, `"tag:no`) && !strings.HasPrefix(word, `"a@:x`) {
			t.Errorf("%v is told of %s", p, word)
		}
	}
	if len(got) != 5 {
		t.Errorf("%d problems: %v", len(got), got)
	}
	if p := moves.Back(acl.Pos{Line: 2, Column: 25}); p != (acl.Pos{Line: 2, Column: 20}) { // within the first word
		t.Error(p)
	}
}

func FuzzHeadscale(f *testing.F) {
	src, _ := os.ReadFile("testdata/headscale.hujson")
	f.Add(src)
	f.Add([]byte(`{"ACLs": [{"Users": ["a", "10.0.0.1-10.0.0.2"], "Ports": ["a:*", "fd00::1:80", ":1"]}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		document, _, _, err := Headscale(src, "a.org")
		if err != nil {
			return
		}
		if again, _, _, err := Headscale(document, "b.org"); err != nil || string(again) != string(document) {
			t.Fatalf("%q becomes %q, %v", document, again, err)
		}
	})
}
