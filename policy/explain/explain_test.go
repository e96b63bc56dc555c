package explain

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/policy/filter"
	"github.com/cvlan/cvlan/proto/control"
)

var overlay = netip.MustParsePrefix("10.1.0.0/24")

const office = `// a small office
{
	"groups": {"group:dev": ["ann@a.org"]},
	"tagOwners": {"tag:web": [], "tag:db": [], "tag:router": []},
	"hosts": {"printer": "192.168.7.20"},
	"acls": [
		{"action": "accept", "src": ["group:dev"], "dst": ["tag:web:22,443"], "proto": "tcp"},
		{"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"], "proto": "tcp", "require": ["ipsec"]},
		{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*", "printer:631"]},
		{"action": "accept", "src": ["group:dev"], "dst": ["tag:db:*"], "when": {"days": ["mon-fri"], "hours": "08:00-18:00"}},
		{"action": "deny", "src": ["*"], "dst": ["*:23"]},
	],
	"tests": [
		{"src": "ann@a.org", "accept": ["tag:web:443", "autogroup:self:22", "printer:631"], "deny": ["tag:web:23", "tag:web:80"]},
		{"src": "group:dev", "accept": ["tag:db:1"], "at": "2026-11-25T09:00:00Z"},
		{"src": "tag:web", "accept": ["tag:db:5432"], "deny": ["10.1.0.1:22"]},
		{"src": "bob@a.org", "accept": ["tag:web:443"]},
		{"src": "ann@a.org", "deny": ["tag:web:22"]},
		{"src": "ann@a.org", "accept": ["tag:db:1"], "at": "2026-11-29T09:00:00Z"},
		{"src": "autogroup:admin", "accept": ["tag:db:1"]},
	],
}`

var (
	weekday = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	sunday  = time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
)

func network(t testing.TB, text string) *compile.Network {
	t.Helper()
	doc, problems := acl.Parse([]byte(text), acl.Options{})
	if doc == nil {
		t.Fatal(problems)
	}
	n := compile.New(doc, overlay)
	for i, x := range []compile.Node{
		{User: "ann@a.org"}, {User: "ann@a.org"}, {User: "bob@a.org"}, {Tags: []string{"tag:web"}}, {Tags: []string{"tag:db"}},
		{Tags: []string{"tag:router"}, Routes: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")}},
	} {
		x.ID, x.Addrs = ident.Node(i+1), []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)})}
		n.Put(x, nil)
	}
	return n
}

func names(name string) (ident.Node, bool) {
	id := ident.Node(strings.Index("  ann1 ann2 bob1 web1 db1  rtr1", " "+name)/5 + 1)
	return id, strings.HasSuffix(name, "1") || name == "ann2"
}

// A window matters where it alone keeps a rule from the question, or lets it answer.
func TestAWindowOfAnotherPortIsNotTold(t *testing.T) {
	n := network(t, `{"tagOwners": {"tag:web": [], "tag:db": []}, "acls": [{"src": ["*"], "dst": ["*:443"]},
		{"src": ["*"], "dst": ["*:80"], "when": {"days": ["mon-fri"], "hours": "08:00-18:00"}}]}`)
	for dst, told := range map[string]bool{"db1:80": true, "db1:443": false, "db1:81": false} {
		target, service, err := ParseTarget(dst)
		if err != nil {
			t.Fatal(err)
		}
		src, err := Sides(n, names, "ann1")
		to, err2 := Sides(n, names, target)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if a := Explain(n, Question{Src: src[0], Dst: to[0], Service: service, At: weekday}); a.Until.IsZero() == told || strings.Contains(a.String(), "opens or closes") != told {
			t.Errorf("%s: %v", dst, a)
		}
	}
}

func TestAnswersTellTheRuleAndTheLine(t *testing.T) {
	n := network(t, office)
	for _, c := range []struct {
		src, dst string
		at       time.Time
		want     string
	}{
		{"ann@a.org", "web1:443", weekday, "allowed by acls[0] at line 7"},
		{"ann1", "10.1.0.4:443/tcp", weekday, "allowed by acls[0] at line 7"},
		{"ann1", "web1:23", weekday, "denied by acls[4] at line 11, at the sender"},
		{"ann1", "web1:80", weekday, "denied: no rule allows it; dropped at the sender"},
		{"ann1", "web1:80", weekday, "acls[0] (line 7) allows: another port"},
		{"ann1", "web1:443/udp", weekday, "acls[0] (line 7) allows: another protocol\n"},
		{"ann1", "web1/gre", weekday, "acls[0] (line 7) allows: another protocol\n"},
		{"web1", "db1:5432", weekday, "allowed by acls[1] at line 8, through IPsec only"},
		{"ann1", "ann2:22", weekday, "allowed by acls[2] at line 9"},
		{"ann1", "bob1:22", weekday, "do not see each other"},
		{"bob1", "192.168.7.20:631", weekday, "allowed by acls[2] at line 9"},
		{"bob1", "printer:631/udp", weekday, "allowed by acls[2]"},
		{"ann1", "db1:80", weekday, "allowed by acls[3] at line 10; a window opens or closes 2026-11-25T18:00:00Z"},
		{"ann1", "db1:80", sunday, "acls[3] (line 10) allows: another window"},
		{"ann1", "web1/icmp", weekday, "denied: no rule allows it"},
		{"tag:web", "tag:db:5432", weekday, "allowed by acls[1]"},
		{"dan@a.org", "web1:443", weekday, "do not see each other"},
	} {
		target, service, err := ParseTarget(c.dst)
		if err != nil {
			t.Fatal(err)
		}
		src, err := Sides(n, names, c.src)
		dst, err2 := Sides(n, names, target)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if got := Explain(n, Question{src[0], dst[0], service, c.at}).String(); !strings.Contains(got, c.want) {
			t.Errorf("%s to %s:\n%s\nwant %q", c.src, c.dst, got, c.want)
		}
	}
}

func TestTheDocumentsTestsAreRun(t *testing.T) {
	n := network(t, office)
	var got []string
	for _, f := range failed(n, weekday) {
		got = append(got, fmt.Sprintf("%s %s %v", f.Path, f.Probe, f.Err != nil))
		if f.Why() == "" {
			t.Error("an empty line")
		}
	}
	want := "tests[3] tag:web:443 false, tests[4] tag:web:22 false, tests[5] tag:db:1 false, tests[6] tag:db:1 true"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("failures %s\nwant %s", s, want)
	}
}

func TestQuestionsThatMeanNothingAreRefused(t *testing.T) {
	for _, s := range []string{"web1", ":443", "web1:x", "web1:99999", "web1:1/xyz", "web1:1/*"} {
		if name, service, err := ParseTarget(s); err == nil {
			t.Errorf("%q: %q, %d", s, name, service)
		}
	}
	if name, service, err := ParseTarget("[fd00::1]:53/udp"); err != nil || name != "fd00::1" || service != 17<<16|53 {
		t.Error(name, service, err)
	}
	n := network(t, office)
	for _, s := range []string{"nobody", "group:none", "", "*", "*@a.org", "user:*@a.org"} {
		if sides, err := Sides(n, names, s); err == nil {
			t.Errorf("%q: %v", s, sides)
		}
	}
}

// TestExplainAgreesWithTheFilters asks about random packets, and compares with the filters that the nodes have, and the rule with the
// one that the steps name.
func TestExplainAgreesWithTheFilters(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		n := network(t, randomDocument(r))
		var sets [7]*filter.Set
		for id := range ident.Node(6) {
			plan, _ := n.Plan(id+1, 1)
			spec, _ := plan.At(weekday)
			sets[id+1], _ = filter.New(spec)
		}
		for range 150 {
			a, _ := n.Node(ident.Node(1 + r.IntN(6)))
			b, _ := n.Node(ident.Node(1 + r.IntN(6)))
			if a.ID == b.ID {
				continue
			}
			q := Question{Src: compile.Side{Node: a}, Dst: compile.Side{Node: b}, Service: 6<<16 | uint32([]int{22, 23, 80, 443}[r.IntN(4)]), At: weekday}
			p := filter.Packet{Src: filter.AddressOf(a.Addrs[0]), Dst: filter.AddressOf(b.Addrs[0]), Proto: 6, DstPort: uint16(q.Service)}
			if len(b.Routes) > 0 && r.IntN(2) == 0 {
				q.Dst.Addr = netip.MustParseAddr("192.168.7.20")
				p.Dst = filter.AddressOf(q.Dst.Addr)
			}
			got := Explain(n, q)
			want := sets[a.ID].Out(&p, true)
			if want == filter.Allowed {
				want = sets[b.ID].In(&p, true)
			}
			if want == filter.UnknownDestination || want == filter.UnknownSource {
				want = got.Reason // they do not see each other; explain may still name the rule that hides them
				if got.Visible || got.Allowed {
					t.Fatalf("seed %d: %v sees %v in the explanation only", seed, a, b)
				}
			}
			if got.Reason != want || got.Allowed != (want == filter.Allowed) {
				t.Fatalf("seed %d: %v to %v: %v, the filters say %v", seed, a, b, got, want)
			}
			checkSteps(t, got)
		}
	}
}

func checkSteps(t *testing.T, a Answer) {
	t.Helper()
	var best *Step
	for i := range a.Steps {
		s := &a.Steps[i]
		if s.Matches && (best == nil || s.Priority > best.Priority || s.Priority == best.Priority && s.Deny && !best.Deny) {
			best = s
		}
	}
	if (best == nil) != (a.Rule == nil) || best != nil && (best.Number != a.Rule.Number || !best.Decides) {
		t.Fatalf("the steps do not lead to the rule: %v", a)
	}
}

func randomDocument(r *rand.Rand) string {
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	who := func() string {
		return one("*", "ann@a.org", "bob@a.org", "group:dev", "tag:web", "tag:db", "tag:router", "autogroup:member", "10.1.0.0/30", "192.168.7.0/24", "printer")
	}
	var b strings.Builder
	b.WriteString(`{"groups": {"group:dev": ["ann@a.org"]}, "tagOwners": {"tag:web": [], "tag:db": [], "tag:router": []}, "hosts": {"printer": "192.168.7.20"}, "acls": [`)
	for range 1 + r.IntN(6) {
		dst := who()
		if r.IntN(6) == 0 {
			dst = "autogroup:self"
		}
		fmt.Fprintf(&b, `{"action": "%s", "src": ["%s"], "dst": ["%s:%s"], "priority": %d},`,
			one("accept", "accept", "deny"), who(), dst, one("*", "22", "20-80", "443"), r.IntN(2))
	}
	return b.String() + "]}"
}

func BenchmarkExplain(b *testing.B) {
	n := network(b, office)
	x, _ := n.Node(1)
	y, _ := n.Node(4)
	q := Question{Src: compile.Side{Node: x}, Dst: compile.Side{Node: y}, Service: 6<<16 | 443, At: weekday}
	b.ReportAllocs()
	for b.Loop() {
		Explain(n, q)
	}
}

// A rule may allow what two nodes have no tunnel for: the answer is no, and names the end that lacks it.
func TestWhatNoTunnelCarriesIsDenied(t *testing.T) {
	n := network(t, office)
	for _, c := range []struct {
		web, db control.Tunnels
		service uint32
		says    string // "": allowed
	}{
		{0, 0, 5432, ""},
		{control.IPsec, control.WireGuard | control.IPsec, 5432, ""},
		{control.WireGuard, 0, 5432, "denied: allowed by acls[1] at line 8, through IPsec only, but the source speaks wireguard only"},
		{control.WireGuard | control.IPsec, control.WireGuard, 5432, "but the destination speaks wireguard only"},
		{control.WireGuard, control.WireGuard, 5432, "but the destination speaks wireguard only"},
		{control.IPsec, control.WireGuard, 5432, "no tunnel protocol in common: the source speaks ipsec only, the destination wireguard"},
		{control.WireGuard, 0, 80, "denied: no rule allows it"},
	} {
		web, _ := n.Node(4)
		db, _ := n.Node(5)
		web.Speaks, db.Speaks = c.web, c.db
		a := Explain(n, Question{Src: compile.Side{Node: web}, Dst: compile.Side{Node: db}, Service: 6<<16 | c.service, At: weekday})
		if text := a.String(); a.Allowed != (c.says == "") || !strings.Contains(text, c.says) {
			t.Errorf("%v to %v: %v, %s", c.web, c.db, a.Allowed, text)
		}
	}
}
