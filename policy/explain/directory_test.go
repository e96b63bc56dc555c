package explain

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/policy/acl"
)

const people = `{
	"schema": 1, "ranges": ["10.1.0.0/24"], "groups": [{"name": "group:empty"}],
	"users": [{"login": "Ann@a.org", "role": "admin", "groups": ["group:ops"], "version": 7}, {"login": "bob@a.org"}],
	"nodes": [{"name": "laptop", "user": "ann@a.org", "addresses": ["10.1.0.1"], "tags": []},
		{"name": "web-1", "user": "bob@a.org", "tags": ["tag:web"], "addresses": ["10.1.0.2", "fd00::2"], "attributes": {"node:os": "linux"}}]
}`

func TestADirectoryAnswersWithoutAController(t *testing.T) {
	var d Directory
	if err := json.Unmarshal([]byte(people), &d); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.GroupNames(), " "); got != "group:empty group:ops" {
		t.Errorf("groups %s", got)
	}
	doc, problems := acl.Parse([]byte(`{"tagOwners": {"tag:web": []}, "acls": [
		{"action": "accept", "src": ["group:ops"], "dst": ["tag:web:443"]}, {"action": "accept", "src": ["autogroup:admin"], "dst": ["tag:web:22"]}],
		"tests": [{"src": "group:ops", "accept": ["10.1.0.2:443", "tag:web:22"]}, {"src": "group:empty", "deny": ["tag:web:443"]}, {"src": "bob@a.org", "deny": ["tag:web:22"]}]}`),
		acl.Options{Groups: d.GroupNames()})
	if doc == nil {
		t.Fatal(problems)
	}
	n, names, err := d.Network(doc)
	if err != nil || n.Len() != 2 {
		t.Fatal(n, err)
	}
	if f := Test(n, weekday); len(f) != 1 || f[0].Path != "tests[1]" || f[0].Err == nil {
		t.Errorf("failures %v", f)
	}
	src, err := Sides(n, names, "laptop")
	dst, err2 := Sides(n, names, "web-1")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if a := Explain(n, Question{src[0], dst[0], 6<<16 | 443, weekday}); !a.Allowed {
		t.Error(a)
	}
	d.Users = []UserEntry{{Login: "ann@a.org", Role: "king"}}
	if _, _, err := d.Network(doc); err == nil || !strings.Contains(err.Error(), "king") {
		t.Error(err)
	}
}
