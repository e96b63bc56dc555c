package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/policy/acl"
)

// office is a network with a policy, two users' machines and a server.
type office struct {
	*world
	at admin.OneNetworkIn
}

func newOffice(t *testing.T) *office {
	t.Helper()
	w := newWorld(t)
	must(admin.Call(t.Context(), w.owner, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: in, Body: admin.NewNetwork{Name: "office"}}))(t)
	must(admin.Call(t.Context(), w.owner, admin.CreateGroup, admin.CreateGroupIn{InTenant: in, Body: admin.NewGroup{Name: "group:ops"}}))(t)
	for login, role := range map[string]admin.UserRole{"ann@a.org": admin.UserAdmin, "bob@a.org": admin.UserMember} {
		must(admin.Call(t.Context(), w.owner, admin.CreateUser, admin.CreateUserIn{InTenant: in, Body: admin.NewUser{Login: login, Role: role}}))(t)
	}
	must(admin.Call(t.Context(), w.owner, admin.ChangeUser, admin.ChangeUserIn{OneUserIn: admin.OneUserIn{InTenant: in, User: "bob@a.org"}, Body: admin.UserChange{Groups: &[]string{"ops"}}}))(t)
	o := &office{w, admin.OneNetworkIn{InTenant: in, Network: "office"}}
	o.machine("laptop", "ann@a.org")
	o.machine("desk", "bob@a.org")
	o.machine("web", "", "tag:web")
	return o
}

func (o *office) machine(name, user string, tags ...string) {
	o.t.Helper()
	n := o.joinAs("office", name, admin.NewJoinKey{Network: "office", User: user})
	if len(tags) > 0 {
		must(admin.Call(o.t.Context(), o.owner, admin.TagNode, admin.TagNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: in, Node: n.ID.String()}, Body: admin.TagChange{Add: tags}}))(o.t)
	}
}

func (o *office) set(text, etag string) (admin.SetPolicyOut, error) {
	return admin.Call(o.t.Context(), o.owner, admin.SetPolicy, admin.SetPolicyIn{OneNetworkIn: o.at, IfMatch: admin.IfMatch{IfMatch: etag}, Body: admin.NewPolicy{Text: text, Comment: "because"}})
}

func (o *office) ask(src, dst string) (admin.PolicyAnswers, error) {
	out, err := admin.Call(o.t.Context(), o.owner, admin.ExplainPolicy, admin.ExplainPolicyIn{OneNetworkIn: o.at, Body: admin.PolicyQuestion{Src: src, Dst: dst}})
	return out.Body, err
}

const narrow = `{
	"tagOwners": {"tag:web": [], "tag:none": []},
	"acls": [
		{"action": "accept", "src": ["group:ops"], "dst": ["tag:web:443"]},
		{"action": "accept", "src": ["tag:none"], "dst": ["tag:web:80"]},
	],
	"tests": [{"src": "bob@a.org", "accept": ["tag:web:443"]}, {"src": "ann@a.org", "deny": ["tag:web:443"]}],
}`

func TestAPolicyIsPutInForceAndAnswers(t *testing.T) {
	o := newOffice(t)
	first := must(admin.Call(t.Context(), o.owner, admin.GetPolicy, o.at))(t)
	if first.Body.Number != 1 || first.ETag != `"`+first.Body.ETag+`"` || !strings.Contains(first.Body.Text, `"*:*"`) {
		t.Fatalf("%+v", first)
	}
	if a, err := o.ask("ann@a.org", "web:443"); err != nil || len(a.Answers) != 1 || !a.Answers[0].Allowed || a.Answers[0].Dst.Name != "web" {
		t.Fatalf("%+v, %v", a, err)
	}
	set := must(o.set(narrow, first.ETag))(t)
	if set.Body.Policy.Number != 2 || !set.Body.Changed || set.Body.Review.Affected != 3 || set.Body.Policy.Comment != "because" {
		t.Errorf("%+v", set.Body)
	}
	var told []string
	for _, p := range set.Body.Review.Problems {
		told = append(told, p.What)
	}
	if s := strings.Join(told, "\n"); !strings.Contains(s, "is about nobody now") || !strings.Contains(s, "cuts laptop, a node of ann@a.org who is admin, off from all 2 nodes") || len(told) != 2 {
		t.Errorf("warnings:\n%s", s)
	}
	for _, c := range []struct {
		src, dst string
		allowed  bool
	}{{"ann@a.org", "web:443", false}, {"desk", "web.office:443/tcp", true}, {"bob@a.org", "web:80", false}, {"bob@a.org", "tag:web:443", true}, {"group:ops", "web:443", true}} {
		if a, err := o.ask(c.src, c.dst); err != nil || len(a.Answers) != 1 || a.Answers[0].Allowed != c.allowed || a.Number != 2 {
			t.Errorf("%s to %s: %+v, %v", c.src, c.dst, a, err)
		}
	}
	_, err := o.ask("nobody", "web:443")
	refused(t, err, admin.CodeNotFound)
	_, err = o.ask("desk", "web")
	refused(t, err, admin.CodeInvalid)
	if again := must(o.set(narrow, ""))(t); again.Body.Changed || again.ETag != set.ETag {
		t.Errorf("the same text: %+v", again.Body)
	}
	s := must(admin.Call(t.Context(), o.owner, admin.GetPolicyStatus, o.at))(t)
	if s.Body.Number != 2 || s.Body.Rules != 2 || s.Body.Nodes != 0 {
		t.Errorf("%+v", s.Body)
	}
}

// A device without an agent speaks WireGuard only, and only with the nodes that are named for it: who requires IPsec of it hears so before, and explain
// says so after.
func TestARequirementThatCannotBeMetIsTold(t *testing.T) {
	o := newOffice(t)
	must(admin.Call(t.Context(), o.owner, admin.CreatePeer, admin.CreatePeerIn{InTenant: in, Body: admin.NewPeer{Name: "phone", Network: "office", Nodes: []string{"web"},
		Key: key.NewWGPrivate().Public().String()}}))(t)
	told := func(text string) (warnings []string) {
		c := must(admin.Call(t.Context(), o.owner, admin.CheckPolicy, admin.CheckPolicyIn{OneNetworkIn: o.at, Body: admin.PolicyText{Text: text}}))(t)
		for _, p := range c.Body.Problems {
			warnings = append(warnings, fmt.Sprintf("%s %d: %s; %s", p.Severity, p.Line, p.What, p.Hint))
		}
		return warnings
	}
	if w := told(`{"acls": [{"src": ["*"], "dst": ["*:*"]}]}`); len(w) != 0 {
		t.Errorf("without a requirement: %q", w)
	}
	strict := `{"acls": [{"src": ["*"], "dst": ["*:*"], "require": ["ipsec"]}]}`
	if w := told(strict); len(w) != 1 || !strings.Contains(w[0], "warning 1: IPsec is required of ") || !strings.Contains(w[0], "phone") || !strings.Contains(w[0], "web") ||
		strings.Contains(w[0], "more") || !strings.Contains(w[0], "take require out") {
		t.Errorf("%q", w)
	}
	must(o.set(strict, ""))(t)
	a := must(o.ask("web", "phone:443"))(t)
	if x := a.Answers[0]; x.Allowed || !x.IPsec || x.Closed != "the destination speaks wireguard only" || x.Rule == nil || x.Reason != "needs_ipsec" {
		t.Errorf("%+v", x)
	}
	if x := must(o.ask("web", "laptop:443"))(t).Answers[0]; !x.Allowed || !x.IPsec {
		t.Errorf("who has not said what it speaks: %+v", x)
	}
}

func TestTwoAdminsAtOnce(t *testing.T) {
	o := newOffice(t)
	first := must(admin.Call(t.Context(), o.owner, admin.GetPolicy, o.at))(t)
	must(o.set(narrow, first.ETag))(t)
	_, err := o.set("{}", first.ETag)
	if p := refused(t, err, admin.CodeChanged); !strings.Contains(p.Detail, "version 2 is in force meanwhile, by ") {
		t.Error(p)
	}
	if p := must(admin.Call(t.Context(), o.owner, admin.GetPolicy, o.at))(t); p.Body.Text != narrow {
		t.Error("the other's document is gone")
	}
}

func TestABadPolicyIsRefusedWithAllThatIsWrong(t *testing.T) {
	o := newOffice(t)
	_, err := o.set(`{"acls": [{"action": "accept", "src": ["grop:x"], "dst": ["*:x"]}], "ssh": []}`, "")
	if p := refused(t, err, admin.CodePolicy); p.Review == nil || len(p.Review.Problems) != 3 || p.Review.Valid || !strings.HasPrefix(p.Detail, "line 1, column ") {
		t.Errorf("%+v", p)
	}
	_, err = o.set(strings.Replace(narrow, `"deny": ["tag:web:443"]`, `"accept": ["tag:web:443"]`, 1), "")
	p := refused(t, err, admin.CodePolicyTest)
	if p.Status != 422 || p.Review == nil || len(p.Review.Failures) != 1 || p.Review.Failures[0].Path != "tests[1]" || !strings.Contains(p.Detail, "tests[1]: ann@a.org to tag:web:443 should be accepted") {
		t.Errorf("%+v", p)
	}
	_, err = o.set(strings.Repeat(" ", acl.MaxSize)+"{}", "")
	if p := refused(t, err, admin.CodeTooLarge); !strings.Contains(p.Detail, "8388608") {
		t.Error(p)
	}
	_, err = o.set(strings.Repeat("\n", 10<<20)+"{}", "")
	refused(t, err, admin.CodeTooLarge)
	if p := must(admin.Call(t.Context(), o.owner, admin.GetPolicy, o.at))(t); p.Body.Number != 1 {
		t.Error("a refused document is in force")
	}
}

func TestCheckAndCompareChangeNothing(t *testing.T) {
	o := newOffice(t)
	text := admin.PolicyText{Text: narrow}
	r := must(admin.Call(t.Context(), o.owner, admin.CheckPolicy, admin.CheckPolicyIn{OneNetworkIn: o.at, Body: text}))(t)
	if !r.Body.Valid || r.Body.Affected != 3 || r.Body.Tests != 2 {
		t.Errorf("%+v", r.Body)
	}
	for range 2 { // what is asked leaves no trace in what is in force
		d := must(admin.Call(t.Context(), o.owner, admin.ComparePolicy, admin.ComparePolicyIn{OneNetworkIn: o.at, Body: text}))(t)
		if len(d.Body.Differences) == 0 || d.Body.More != 0 {
			t.Fatalf("%+v", d.Body)
		}
		for _, x := range d.Body.Differences {
			if len(x.Opened) != 0 || len(x.Closed) == 0 || x.Src.Sample == "" {
				t.Errorf("%+v", x)
			}
		}
		if a, err := o.ask("laptop", "web:443"); err != nil || !a.Answers[0].Allowed || a.Number != 1 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	r = must(admin.Call(t.Context(), o.owner, admin.CheckPolicy, admin.CheckPolicyIn{OneNetworkIn: o.at, Body: admin.PolicyText{Text: "{}"}}))(t)
	if !strings.Contains(r.Body.Problems[0].What, "no rule allows anything: the 3 nodes") {
		t.Errorf("%+v", r.Body)
	}
	_, err := admin.Call(t.Context(), o.owner, admin.ComparePolicy, admin.ComparePolicyIn{OneNetworkIn: o.at, Body: admin.PolicyText{Text: "{"}})
	refused(t, err, admin.CodePolicy)
}

func TestVersionsAreListedAndShown(t *testing.T) {
	o := newOffice(t)
	for _, text := range []string{narrow, "{}", narrow} {
		o.pass(time.Minute)
		must(o.set(text, ""))(t)
	}
	var numbers []uint64
	for v, err := range admin.All(func(cursor string) (admin.List[admin.PolicyVersion], error) {
		l, err := admin.Call(t.Context(), o.owner, admin.ListPolicies, admin.ListPoliciesIn{OneNetworkIn: o.at, Page: admin.Page{Limit: 3, After: cursor}})
		return l.Body, err
	}) {
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, v.Number)
	}
	if len(numbers) != 4 || numbers[0] != 4 || numbers[3] != 1 {
		t.Errorf("versions %v", numbers)
	}
	old := must(admin.Call(t.Context(), o.owner, admin.GetPolicyVersion, admin.PolicyVersionIn{OneNetworkIn: o.at, Number: 3}))(t)
	if old.Body.Text != "{}" || old.Body.Author == "" {
		t.Errorf("%+v", old.Body)
	}
	_, err := admin.Call(t.Context(), o.owner, admin.GetPolicyVersion, admin.PolicyVersionIn{OneNetworkIn: o.at, Number: 99})
	refused(t, err, admin.CodeNotFound)
	// Who may only read, may ask and look, and change nothing.
	reader := o.client(o.tenant.ID, time.Time{}, "policy:read")
	must(admin.Call(t.Context(), reader, admin.CheckPolicy, admin.CheckPolicyIn{OneNetworkIn: o.at, Body: admin.PolicyText{Text: narrow}}))(t)
	_, err = admin.Call(t.Context(), reader, admin.SetPolicy, admin.SetPolicyIn{OneNetworkIn: o.at, Body: admin.NewPolicy{Text: narrow}})
	refused(t, err, admin.CodePermission)
}

func TestTheLongestPolicyFits(t *testing.T) {
	o := newOffice(t)
	long := narrow + strings.Repeat("\n", acl.MaxSize-len(narrow)) // two bytes each in JSON
	must(o.set(long, ""))(t)
	if p := must(admin.Call(t.Context(), o.owner, admin.GetPolicy, o.at))(t); p.Body.Text != long {
		t.Errorf("%d bytes came back", len(p.Body.Text))
	}
	_, err := o.set(long+"\n", "")
	refused(t, err, admin.CodeTooLarge)
}

func TestTestsKnowTheAddressesThatThereAre(t *testing.T) {
	o := newOffice(t)
	all := must(admin.Call(t.Context(), o.owner, admin.ListNodes, admin.ListNodesIn{InTenant: in, Page: admin.Page{Limit: 10}}))(t)
	for _, n := range all.Body.Items {
		if n.Name != "web" {
			continue
		}
		at := n.Addresses[0].String()
		must(o.set(strings.Replace(narrow, `"accept": ["tag:web:443"]`, `"accept": ["`+at+`:443"]`, 1), ""))(t)
		if a, err := o.ask("bob@a.org", at+":443"); err != nil || !a.Answers[0].Allowed || a.Answers[0].Dst.Name != "web" {
			t.Errorf("%+v, %v", a, err)
		}
		_, err := o.set(strings.Replace(narrow, `"deny": ["tag:web:443"]`, `"deny": ["`+at+`:443"], "accept": ["`+at+`:443"]`, 1), "")
		if p := refused(t, err, admin.CodePolicyTest); p.Review.Failures[0].Explanation.Dst.Name != "web" {
			t.Errorf("%+v", p.Review.Failures[0])
		}
	}
}

func TestWhatNodesCannotTakeIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("a document of 8 MB")
	}
	o := newOffice(t)
	var ports strings.Builder
	for p := range 1000 {
		fmt.Fprintf(&ports, "%d,", 2*p+1)
	}
	rule := `{"action":"accept","src":["*"],"dst":["*:` + strings.TrimSuffix(ports.String(), ",") + `"]},`
	_, err := o.set(`{"acls":[`+strings.Repeat(rule, 1600)+`]}`, "")
	if p := refused(t, err, admin.CodePolicy); !strings.Contains(p.Review.Problems[0].What, "at most 8388608 are allowed") {
		t.Error(p)
	}
}
