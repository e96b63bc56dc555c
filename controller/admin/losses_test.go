package admin

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/compile"
)

// A document may cut its author off from the controller, if that is reached through the network itself, or from everybody.
func TestWhoLocksItselfOutIsFoundBefore(t *testing.T) {
	at := func(i byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 0, i}) }
	compiled := func(text string) *compile.Network {
		doc, problems := acl.Parse([]byte(text), acl.Options{})
		if doc == nil {
			t.Fatal(problems)
		}
		n := compile.New(doc, netip.MustParsePrefix("10.1.0.0/24"))
		n.PutUser(compile.User{Login: "ann@a.org", Role: compile.Admin}, nil)
		n.Load([]compile.Node{{ID: 1, User: "ann@a.org", Addrs: []netip.Addr{at(1)}}, {ID: 2, Tags: []string{"tag:ctl"}, Addrs: []netip.Addr{at(2)}},
			{ID: 3, User: "bob@a.org", Addrs: []netip.Addr{at(3)}}})
		return n
	}
	s := &server{Config: Config{Addrs: []string{"ctl.example.com:8443", "10.1.0.2:8443"}}}
	users := []store.User{{Login: "ann@a.org", Role: store.Admin}, {Login: "bob@a.org"}}
	open := compiled(`{"tagOwners": {"tag:ctl": []}, "acls": [{"src": ["*"], "dst": ["*:*"]}]}`)
	for text, want := range map[string]string{
		`{"tagOwners": {"tag:ctl": []}, "acls": [{"src": ["*"], "dst": ["*:443"]}]}`:                             "",
		`{"tagOwners": {"tag:ctl": []}, "acls": [{"src": ["autogroup:member"], "dst": ["autogroup:member:*"]}]}`: "cuts the machine that this controller runs on, n2, off from 2 of the 2 nodes that see it",
		`{"tagOwners": {"tag:ctl": []}, "acls": [{"src": ["bob@a.org"], "dst": ["tag:ctl:*"]}]}`: "cuts n1, a node of ann@a.org who is admin, off from all 2 nodes that it sees; " +
			"cuts the machine that this controller runs on, n2, off from 1 of the 2 nodes that see it",
	} {
		var told []string
		for _, l := range s.losses(open, compiled(text), users) {
			told = append(told, l.tell(map[ident.Node]string{1: "n1", 2: "n2"}[l.node]))
		}
		if got := strings.Join(told, "; "); got != want {
			t.Errorf("%s:\n%s", text, got)
		}
	}
}
