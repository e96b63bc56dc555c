package compile

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/policy/filter"
)

// What an exit stands for and the special ranges make up everything, each address once.
func TestAnExitStandsForPublicAddresses(t *testing.T) {
	if got := len(public4) + len(public6); got > 140 {
		t.Errorf("%d prefixes, which every node that sees an exit holds", got)
	}
	for _, c := range []struct {
		addr string
		want int
	}{
		{"1.1.1.1", 1}, {"8.8.8.8", 1}, {"172.15.255.255", 1}, {"172.32.0.0", 1}, {"100.63.255.255", 1}, {"192.169.0.1", 1}, {"223.255.255.255", 1},
		{"2606:4700::1111", 1}, {"2a00::1", 1}, {"2001:200::1", 1}, {"3fff:ffff::", 1},
		{"0.1.2.3", 0}, {"10.0.0.1", 0}, {"100.64.0.1", 0}, {"127.0.0.1", 0}, {"169.254.169.254", 0}, {"172.16.0.1", 0}, {"192.168.1.1", 0}, {"198.18.0.1", 0},
		{"224.0.0.1", 0}, {"255.255.255.255", 0}, {"::1", 0}, {"fd00::1", 0}, {"fe80::1", 0}, {"ff02::1", 0}, {"2001:db8::1", 0}, {"64:ff9b::a00:1", 0},
	} {
		a, in := netip.MustParseAddr(c.addr), 0
		for _, p := range Reach([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}) {
			if p.Contains(a) {
				in++
			}
		}
		if in != c.want {
			t.Errorf("%s is in %d prefixes, want %d", c.addr, in, c.want)
		}
	}
	own := []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}
	if got := Reach(own); len(got) != 1 || got[0] != own[0] {
		t.Errorf("another route stands for %v", got)
	}
}

// Whatever the rules let pass, what is private behind an exit stays closed, unless it has a route for that as well.
func TestAnExitOpensNothingPrivate(t *testing.T) {
	at := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, document string
		routes         []string
		to             string
		want           bool
	}{
		{"internet to the internet", `{"acls": [{"src": ["tag:x"], "dst": ["autogroup:internet:*"]}], "tagOwners": {"tag:x": []}}`, nil, "93.184.216.34", true},
		{"internet to the LAN of the exit", `{"acls": [{"src": ["tag:x"], "dst": ["autogroup:internet:*"]}], "tagOwners": {"tag:x": []}}`, nil, "192.168.1.1", false},
		{"internet to the network of a route", `{"acls": [{"src": ["tag:x"], "dst": ["autogroup:internet:*"]}], "tagOwners": {"tag:x": []}}`, []string{"192.168.1.0/24"}, "192.168.1.1", false},
		{"all to the internet", `{"acls": [{"src": ["tag:x"], "dst": ["*:*"]}], "tagOwners": {"tag:x": []}}`, nil, "93.184.216.34", true},
		{"all to the LAN of the exit", `{"acls": [{"src": ["tag:x"], "dst": ["*:*"]}], "tagOwners": {"tag:x": []}}`, nil, "192.168.1.1", false},
		{"all to the network of a route", `{"acls": [{"src": ["tag:x"], "dst": ["*:*"]}], "tagOwners": {"tag:x": []}}`, []string{"192.168.1.0/24"}, "192.168.1.1", true},
		{"an address of the LAN of the exit", `{"acls": [{"src": ["tag:x"], "dst": ["192.168.1.1:*"]}], "tagOwners": {"tag:x": []}}`, nil, "192.168.1.1", false},
		{"one address of the internet", `{"acls": [{"src": ["tag:x"], "dst": ["93.184.216.34:*"]}], "tagOwners": {"tag:x": []}}`, nil, "93.184.216.34", true},
		{"another address of the internet", `{"acls": [{"src": ["tag:x"], "dst": ["93.184.216.34:*"]}], "tagOwners": {"tag:x": []}}`, nil, "93.184.216.35", false},
	} {
		n := New(parse(t, c.document), overlay...)
		exit := Node{ID: 1, User: "e@a.org", Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.1")}, Routes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
		for _, r := range c.routes {
			exit.Routes = append(exit.Routes, netip.MustParsePrefix(r))
		}
		user := Node{ID: 2, Tags: []string{"tag:x"}, Addrs: []netip.Addr{netip.MustParseAddr("10.1.0.2")}}
		n.Put(exit, nil)
		n.Put(user, nil)
		for _, way := range []string{"plan", "charter"} {
			for _, end := range []Node{user, exit} {
				plan := n.PlanBetween(user, exit)
				if end.ID == exit.ID {
					plan = n.PlanBetween(exit, user)
				}
				if way == "charter" {
					plan = asTold(t, n, &end)
				}
				spec, _ := plan.At(at)
				set, err := filter.New(spec)
				if err != nil {
					t.Fatal(err)
				}
				p := &filter.Packet{Src: filter.AddressOf(user.Addrs[0]), Dst: filter.AddressOf(netip.MustParseAddr(c.to)), Proto: 6, DstPort: 443}
				got := set.Out(p, false)
				if end.ID == exit.ID {
					got = set.In(p, false)
				}
				if (got == filter.Allowed) != c.want {
					t.Errorf("%s, by the %s of node %d: %v", c.name, way, end.ID, got)
				}
			}
		}
	}
}
