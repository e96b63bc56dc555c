package compile

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

var update = flag.Bool("update", false, "write the goldens anew")

// office is a small network: two laptops of ann's, one of bob's, a web server, a database, a router.
func office(t testing.TB) *Network {
	text, err := os.ReadFile("testdata/office.hujson")
	if err != nil {
		t.Fatal(err)
	}
	n := New(parse(t, string(text)), overlay...)
	n.PutUser(User{Login: "bob@a.org", Role: Admin}, nil)
	for i, x := range []Node{
		{User: "Ann@a.org"}, {User: "ann@a.org"}, {User: "bob@a.org"}, {Tags: []string{"tag:web"}}, {Tags: []string{"tag:db"}},
		{Tags: []string{"tag:router"}, Routes: []netip.Prefix{netip.MustParsePrefix("192.168.7.0/24")}},
	} {
		x.ID, x.Addrs = ident.Node(i+1), []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)})}
		n.Put(x, nil)
	}
	return n
}

func TestPlansAreAsTheGoldenSays(t *testing.T) {
	n := office(t)
	var b strings.Builder
	for id := range ident.Node(6) {
		p, _ := n.Plan(id+1, 1)
		writePlan(&b, n, id+1, p)
	}
	const path = "testdata/office.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := os.ReadFile(path)
	if b.String() != string(want) {
		t.Errorf("got\n%s\n(go test ./policy/compile -update writes %s anew)", b.String(), path)
	}
}

func writePlan(b *strings.Builder, n *Network, id ident.Node, p *Plan) {
	x, _ := n.Node(id)
	fmt.Fprintf(b, "%v%v sees %d nodes\n", x.Addrs, x.Tags, len(n.Peers(id, nil)))
	for _, t := range []time.Time{instants[0], instants[2]} {
		spec, next := p.At(t)
		fmt.Fprintf(b, "  at %s, until %s\n", t.Format("Mon 15:04"), next.Format("Mon 15:04"))
		for _, l := range spec.Local {
			for _, r := range spec.Remote {
				at := int(l.Class)*spec.Remotes + int(r.Class)
				for _, pair := range [...]struct {
					arrow string
					list  uint32
					ipsec bool
				}{{"<-", spec.In[at].List, spec.In[at].IPsec}, {"->", spec.Out[at].List, spec.Out[at].IPsec}} {
					fmt.Fprintf(b, "    %v %s %v:", l.Prefix, pair.arrow, r.Prefix)
					for _, s := range spec.Lists[pair.list] {
						word := "allow"
						if s.Deny {
							word = "deny"
						}
						fmt.Fprintf(b, " %s %v (%s)", word, acl.Service{First: s.First, Last: s.Last}, n.Document().Rules[s.Rule].Path)
					}
					if pair.ipsec {
						b.WriteString(" only through IPsec")
					}
					b.WriteByte('\n')
				}
			}
		}
	}
}

func TestWhoMayTagAndWhoseRoutesAreApproved(t *testing.T) {
	n := office(t)
	for _, c := range []struct {
		login, tag string
		want       bool
	}{{"ANN@a.org", "tag:web", true}, {"bob@a.org", "tag:web", false}, {"bob@a.org", "tag:db", true}, {"ann@a.org", "tag:none", false}} {
		if got := n.MayTag(c.login, c.tag); got != c.want {
			t.Errorf("%s may give %s: %v", c.login, c.tag, got)
		}
	}
	admins := New(parse(t, `{"tagOwners": {"tag:mixed": ["ann@a.org", "autogroup:admin"], "tag:own": ["autogroup:owner"], "tag:none": []}, "acls": []}`), overlay...)
	for tag, want := range map[string]bool{"tag:mixed": true, "tag:own": false, "tag:none": false, "tag:unheard-of": false} {
		if got := admins.AdminsMayTag(tag); got != want {
			t.Errorf("any admin may give %s: %v", tag, got)
		}
	}
	router, ann := &Node{Tags: []string{"tag:router"}}, &Node{User: "ann@a.org"}
	for _, c := range []struct {
		node  *Node
		route string
		want  bool
	}{
		{router, "192.168.7.0/24", true}, {router, "192.0.0.0/8", false}, {router, "0.0.0.0/0", false},
		{ann, "0.0.0.0/0", true}, {ann, "::/0", true}, {ann, "192.168.7.0/24", false},
	} {
		if got := n.Approves(c.node, netip.MustParsePrefix(c.route)); got != c.want {
			t.Errorf("%+v routes %s: approved %v", c.node, c.route, got)
		}
	}
}

func TestARouterOfEverythingSpeaksForNoNode(t *testing.T) {
	n := New(parse(t, `{"acls": [{"src": ["10.1.0.7", "10.1.0.0/25"], "dst": ["*:22"]}, {"src": ["tag:x"], "dst": ["*:80"]}], "tagOwners": {"tag:x": []}}`), overlay...)
	exit := Node{ID: 1, Tags: []string{"tag:x"}, Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.200")}, Routes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
	victim := Node{ID: 2, User: "v@a.org", Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.201")}}
	n.Put(exit, nil)
	n.Put(victim, nil)
	spec, _ := n.PlanBetween(victim, exit).At(instants[0])
	for _, from := range []string{"10.1.0.7", "10.1.0.9"} {
		if l := listFrom(spec, netip.MustParseAddr(from)); len(l) != 0 {
			t.Errorf("a packet from %s behind the exit node: %v", from, l)
		}
	}
}

// listFrom is what an address may send to the node itself.
func listFrom(s *filter.Spec, a netip.Addr) []filter.Span {
	p, ok := placeOf(s.Remote, a)
	if !ok {
		return nil
	}
	return s.Lists[s.In[p.Class].List]
}
