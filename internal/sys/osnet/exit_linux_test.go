package osnet

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// traveller is a machine on a LAN that leads to the internet, with one membership.
func traveller(t *testing.T, dir string) (s *System, show func() string) {
	t.Helper()
	ownNetwork(t)
	makeVeth(t, "lan0", "192.168.1.10/24", "2a00:1::10/64")
	for _, gateway := range []string{"192.168.1.1", "2a00:1::1"} {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: mustLink(t, "lan0").Attrs().Index, Gw: net.ParseIP(gateway)}); err != nil {
			t.Skipf("needs both families: %v", err)
		}
	}
	show = func() string {
		all := dump(t) + "\n" + knobsOf(t, "net/ipv4/conf/all/rp_filter")
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			rules, err := netlink.RuleList(family)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rules {
				all += fmt.Sprintf("\nrule %d %v", family, r)
			}
		}
		return all
	}
	return New(Options{State: dir}), show
}

// way is the interface by which a packet would leave, of the daemon's own or of others.
func way(t *testing.T, to string, own bool) string {
	t.Helper()
	o := &netlink.RouteGetOptions{}
	if own {
		o.Mark = mark.Value
	}
	routes, err := netlink.RouteGetWithOptions(net.ParseIP(to), o)
	if err != nil || len(routes) == 0 {
		return "none"
	}
	if routes[0].Type != unix.RTN_UNICAST {
		return fmt.Sprint("type ", routes[0].Type)
	}
	l, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		t.Fatal(err)
	}
	return l.Attrs().Name
}

// leaves fails unless packets to these addresses leave by these interfaces, others' and the daemon's own.
func leaves(t *testing.T, when string, want map[string][2]string) {
	t.Helper()
	for to, by := range want {
		if got := [2]string{way(t, to, false), way(t, to, true)}; got != by {
			t.Errorf("%s: to %s by %v, want %v", when, to, got, by)
		}
	}
}

func member(exit *Exit) Config {
	return Config{Interface: "cvlan0", MTU: 1280, Addresses: prefixes("10.77.0.5/16", "fd77::5/64"), Exit: exit}
}

func TestEverythingButOurOwnLeavesThroughAnExit(t *testing.T) {
	s, show := traveller(t, t.TempDir())
	before := show()
	makeTUN(t, "cvlan0")
	if err := s.Up(member(nil)); err != nil {
		t.Fatal(err)
	}
	if err := writeKnob("net/ipv4/conf/lan0/rp_filter", "1"); err != nil {
		t.Fatal(err)
	}
	without := show()
	if err := s.Up(member(&Exit{IPv6: true})); err != nil {
		t.Fatal(err)
	}
	leaves(t, "an exit", map[string][2]string{
		"5.5.5.5": {"cvlan0", "lan0"}, "2a00:5::5": {"cvlan0", "lan0"}, "2a00:1::7": {"cvlan0", "lan0"}, "192.168.1.7": {"cvlan0", "lan0"}, "10.77.0.9": {"cvlan0", "cvlan0"},
		"fd77::9": {"cvlan0", "cvlan0"},
	})
	if got := knobsOf(t, "net/ipv4/conf/all/rp_filter"); got != "2" {
		t.Errorf("the filter of reverse paths is %s: answers to the daemon would be dropped", got)
	}
	if err := s.Up(member(&Exit{LAN: true})); err != nil {
		t.Fatal(err)
	}
	leaves(t, "one without IPv6, and the LAN", map[string][2]string{
		"5.5.5.5": {"cvlan0", "lan0"}, "2a00:5::5": {"none", "lan0"}, "192.168.1.7": {"lan0", "lan0"},
	})
	// A longer route that the LAN hands out draws nothing out.
	_, half, _ := net.ParseCIDR("5.0.0.0/8")
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: mustLink(t, "lan0").Attrs().Index, Dst: half, Gw: net.ParseIP("192.168.1.1")}); err != nil {
		t.Fatal(err)
	}
	leaves(t, "a route of the LAN's", map[string][2]string{"5.5.5.5": {"cvlan0", "lan0"}})
	if err := netlink.RouteDel(&netlink.Route{Dst: half, Gw: net.ParseIP("192.168.1.1")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Up(member(nil)); err != nil {
		t.Fatal(err)
	}
	if now := show(); now != without {
		t.Errorf("after off\n%s\nbefore\n%s", now, without)
	}
	if err := s.Up(member(&Exit{})); err != nil {
		t.Fatal(err)
	}
	if err := s.Down("cvlan0"); err != nil {
		t.Fatal(err)
	}
	netlink.LinkDel(mustLink(t, "cvlan0"))
	if now := show(); now != before {
		t.Errorf("after Down\n%s\nbefore\n%s", now, before)
	}
}

func TestNothingLeavesAfterAKillUntilTheNextStart(t *testing.T) {
	dir := t.TempDir()
	s, show := traveller(t, dir)
	before := show()
	makeTUN(t, "cvlan0")
	if err := s.Up(member(&Exit{IPv6: true})); err != nil {
		t.Fatal(err)
	}
	netlink.LinkDel(mustLink(t, "cvlan0")) // as with its process
	leaves(t, "a kill", map[string][2]string{"5.5.5.5": {"none", "lan0"}, "2a00:5::5": {"none", "lan0"}})
	if err := New(Options{State: dir}).Cleanup(nil); err != nil {
		t.Fatal(err)
	}
	if now := show(); now != before {
		t.Errorf("after Cleanup\n%s\nbefore\n%s", now, before)
	}
}

func TestNetworksOfOursStayInReachBesideAnExit(t *testing.T) {
	s, _ := traveller(t, t.TempDir())
	makeTUN(t, "cvlan0")
	makeTUN(t, "cvlan1")
	if err := s.Up(member(&Exit{IPv6: true})); err != nil {
		t.Fatal(err)
	}
	other := Config{Interface: "cvlan1", MTU: 1280, Addresses: prefixes("10.78.0.5/16"), Routes: prefixes("10.20.0.0/16")}
	if err := s.Up(other); err != nil {
		t.Fatal(err)
	}
	leaves(t, "two networks", map[string][2]string{"10.78.0.9": {"cvlan1", "cvlan1"}, "10.20.0.9": {"cvlan1", "cvlan1"}, "5.5.5.5": {"cvlan0", "lan0"}})
	other.Exit = &Exit{}
	if err := s.Up(other); err == nil || !strings.Contains(err.Error(), "cvlan0 already") {
		t.Errorf("a second exit: %v", err)
	}
	if err := s.Down("cvlan1"); err != nil {
		t.Fatal(err)
	}
	leaves(t, "the other gone", map[string][2]string{"10.78.0.9": {"cvlan0", "lan0"}})
}

func TestAnExitIsRefusedWithoutAJournal(t *testing.T) {
	s, show := traveller(t, "/dev/null/none")
	makeTUN(t, "cvlan0")
	if err := s.Up(member(nil)); err != nil {
		t.Fatal(err)
	}
	before := show()
	if err := s.Up(member(&Exit{})); err == nil || !strings.Contains(err.Error(), "no exit is used without it") {
		t.Errorf("%v", err)
	}
	if now := show(); now != before {
		t.Errorf("after the refusal\n%s\nbefore\n%s", now, before)
	}
}

func TestUplinksAreDefaultRoutes(t *testing.T) {
	s, _ := traveller(t, "")
	if four, six, err := s.Uplinks(); !four || !six || err != nil {
		t.Errorf("%v %v %v", four, six, err)
	}
	if err := netlink.RouteDel(&netlink.Route{Gw: net.ParseIP("2a00:1::1")}); err != nil {
		t.Fatal(err)
	}
	if four, six, err := s.Uplinks(); !four || six || err != nil {
		t.Errorf("without a gateway: %v %v %v", four, six, err)
	}
}

func TestWhatStaysNearIsPrivateAndOutermost(t *testing.T) {
	for p, want := range map[string]bool{"192.168.1.0/24": true, "10.0.0.0/8": true, "fd00::/8": true, "100.64.0.0/10": true, "0.0.0.0/1": false, "5.0.0.0/8": false, "192.0.0.0/8": false, "2a00::/16": false} {
		if got := private(netip.MustParsePrefix(p)); got != want {
			t.Errorf("%s is private: %v", p, got)
		}
	}
	if got := fmt.Sprint(outermost(prefixes("10.1.0.0/16", "10.0.0.0/8", "0.0.0.0/0", "10.1.2.0/24", "fd00::/8"))); got != "[10.0.0.0/8 fd00::/8]" {
		t.Error(got)
	}
}
