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
	document, notes, err := Headscale(src, "example.com")
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
	if again, _, err := Headscale(document, ""); err != nil || string(again) != string(document) {
		t.Errorf("whose users have domains changes: %v", err)
	}
	if _, _, err := Headscale(src, ""); err == nil || !strings.Contains(err.Error(), `users have no domain, such as "boss"`) {
		t.Error(err)
	}
}

func TestWhatIsNoDocumentIsLeftToItsReader(t *testing.T) {
	for _, s := range []string{"", "{", "[]", `{"groups": 5, "acls": {}}`, `{"groups": {"group:x": "ann@"}}`, strings.Repeat("[", 1000)} {
		document, _, err := Headscale([]byte(s), "a.org")
		if err != nil || s != `{"groups": {"group:x": "ann@"}}` && string(document) != s {
			t.Errorf("%q: %q, %v", s, document, err)
		}
	}
}

func FuzzHeadscale(f *testing.F) {
	src, _ := os.ReadFile("testdata/headscale.hujson")
	f.Add(src)
	f.Add([]byte(`{"ACLs": [{"Users": ["a", "10.0.0.1-10.0.0.2"], "Ports": ["a:*", "fd00::1:80", ":1"]}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		document, _, err := Headscale(src, "a.org")
		if err != nil {
			return
		}
		if again, _, err := Headscale(document, "b.org"); err != nil || string(again) != string(document) {
			t.Fatalf("%q becomes %q, %v", document, again, err)
		}
	})
}
