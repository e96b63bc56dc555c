package explain

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
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
	if f := failed(n, weekday); len(f) != 1 || f[0].Path != "tests[1]" || f[0].Err == nil {
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

func failed(n *compile.Network, now time.Time) []Failure {
	failures, _ := Test(n, now, nil)
	return failures
}

func TestAnswersAndFailuresAreBounded(t *testing.T) {
	var d Directory
	compiled := func(rules, probes int) *compile.Network {
		doc, problems := acl.Parse([]byte(`{"acls": [`+strings.Repeat(`{"action": "accept", "src": ["*"], "dst": ["*:1"]},`, rules)+`{"action": "deny", "src": ["*"], "dst": ["*:1"]}],
			"tests": [{"src": "ann@a.org", "accept": [`+strings.Repeat(`"bob@a.org:1",`, probes)+`]}]}`), acl.Options{})
		if doc == nil {
			t.Fatal(problems)
		}
		n, _, err := d.Network(doc)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if f := failed(compiled(1, MaxFailures+5), weekday); len(f) != MaxFailures {
		t.Errorf("%d failures", len(f))
	}
	a := failed(compiled(500, 1), weekday)[0].Answer
	if len(a.Steps) != maxSteps+1 || !a.Steps[maxSteps].Decides || a.Others != 501-len(a.Steps) {
		t.Errorf("%d steps, %d others", len(a.Steps), a.Others)
	}
	asked := 0
	if f, whole := Test(compiled(1, 9), weekday, func() bool { asked++; return asked < 4 }); whole || len(f) != 3 {
		t.Errorf("%d failures after somebody had enough", len(f))
	}
}
