package compile

import (
	"net/netip"
	"slices"
	"testing"
)

func TestRulesThatConcernNobodyAreIdle(t *testing.T) {
	n := office(t)
	if got := n.Idle(); len(got) != 0 {
		t.Errorf("idle in the office: %v", got)
	}
	n.Remove(6, nil) // the router: nobody reaches the printer, but one's own machines are still there
	if got := n.Idle(); !slices.Equal(got, []int{3}) {
		t.Errorf("idle without the router: %v", got)
	}
	n.Remove(5, nil)
	n.PlanBetween(Node{Tags: []string{"tag:web"}}, Node{Tags: []string{"tag:db"}}) // who is only asked about is nobody
	if got := n.Idle(); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("idle without the database: %v", got)
	}
}

func TestTheLongestRouteNamesTheRouters(t *testing.T) {
	n := office(t)
	n.Put(Node{ID: 7, Tags: []string{"tag:router"}, Routes: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("192.168.7.0/24")}}, nil)
	n.Put(Node{ID: 8, Tags: []string{"tag:router"}, Routes: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}}, nil)
	for addr, want := range map[string]int{"192.168.7.1": 2, "192.168.8.1": 2, "10.9.9.9": 0} {
		if got := n.Routers(netip.MustParseAddr(addr)); len(got) != want {
			t.Errorf("%s is behind %v", addr, got)
		}
	}
	if x, ok := n.NodeAt(netip.MustParseAddr("10.1.0.4")); !ok || x.ID != 4 {
		t.Error(x, ok)
	}
}

func TestTraceTellsWhichPartDoesNotMatch(t *testing.T) {
	n := office(t)
	ann, _ := n.Node(1)
	web, _ := n.Node(4)
	router, _ := n.Node(6)
	m := n.Trace(Side{Node: ann}, Side{Node: web}, 6<<16|80, instants[0])
	if m[0] != (Match{Rule: 0, Src: true, Dst: true, Posture: true, Active: true}) || m[1].Src || !m[4].Src || m[4].Service {
		t.Errorf("%+v", m)
	}
	m = n.Trace(Side{Node: ann}, Side{Node: router, Addr: netip.MustParseAddr("192.168.7.9")}, 6<<16|80, instants[2])
	if m[3] != (Match{Rule: 3, Src: true, Dst: true, Posture: true, Service: true}) {
		t.Errorf("%+v", m[3])
	}
}
