package osnet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
)

// tables lists the nftables tables of the namespace, and how many rules each has.
func tables(t *testing.T) (all []string) {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.ListTables()
	if err != nil {
		t.Skipf("needs nftables: %v", err)
	}
	for _, x := range found {
		rules := 0
		chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyINet)
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range chains {
			if ch.Table.Name == x.Name {
				r, err := c.GetRules(x, ch)
				if err != nil {
					t.Fatal(err)
				}
				rules += len(r)
			}
		}
		all = append(all, fmt.Sprintf("%s %d", x.Name, rules))
	}
	slices.Sort(all)
	return all
}

func knobsOf(t *testing.T, paths ...string) string {
	t.Helper()
	var all []string
	for _, p := range paths {
		is, err := readKnob(p)
		if err != nil {
			is = "none"
		}
		all = append(all, is)
	}
	return strings.Join(all, " ")
}

// router makes a host with a network behind it and one membership, and returns what shows its switches.
func router(t *testing.T, dir string) (s *System, show func() string) {
	t.Helper()
	ownNetwork(t)
	makeTUN(t, "cvlan0")
	makeVeth(t, "lan0", "10.20.0.1/24", "fd20::1/64")
	s = New(Options{State: dir})
	if err := s.Up(Config{Interface: "cvlan0", MTU: 1280, Addresses: prefixes("10.77.0.5/16", "fd77::5/64")}); err != nil {
		t.Fatal(err)
	}
	if err := writeKnob("net/ipv6/conf/lan0/accept_ra", "1"); err != nil {
		t.Skipf("needs IPv6: %v", err)
	}
	return s, func() string {
		return knobsOf(t, "net/ipv4/ip_forward", "net/ipv4/conf/cvlan0/forwarding", "net/ipv4/conf/lan0/forwarding", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/lan0/accept_ra") +
			fmt.Sprint(" ", tables(t))
	}
}

var lan = Forwarding{Interface: "cvlan0", To: prefixes("10.20.0.0/24", "fd20::/64"), Masquerade: true}

const (
	hostAlone  = "0 0 0 0 1 []"
	hostRoutes = "0 1 1 1 2 [cvlan-cvlan0 2]"
)

func TestForwardThenDownLeavesTheHostAsItWas(t *testing.T) {
	dir := t.TempDir()
	s, show := router(t, dir)
	if got := show(); got != hostAlone {
		t.Skipf("this host begins with %s", got)
	}
	for range 2 {
		if err := s.Forward(lan); err != nil {
			t.Fatal(err)
		}
		if got := show(); got != hostRoutes {
			t.Errorf("the host has %s, want %s", got, hostRoutes)
		}
	}
	if err := s.Down("cvlan0"); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != hostAlone {
		t.Errorf("after Down the host has %s, want %s", got, hostAlone)
	}
	if _, err := os.Stat(filepath.Join(dir, JournalName)); err == nil {
		t.Error("the journal is still there")
	}
}

func TestForwardFollowsWhatIsWanted(t *testing.T) {
	s, show := router(t, t.TempDir())
	for _, step := range []struct {
		f    Forwarding
		want string
	}{
		{lan, hostRoutes},
		{Forwarding{Interface: "cvlan0", To: lan.To}, "0 1 1 1 2 []"},
		{Forwarding{Interface: "cvlan0", To: lan.To[:1], Masquerade: true}, "0 1 1 0 1 [cvlan-cvlan0 1]"},
		{Forwarding{Interface: "cvlan0"}, hostAlone},
	} {
		if err := s.Forward(step.f); err != nil {
			t.Fatal(err)
		}
		if got := show(); got != step.want {
			t.Errorf("after %+v the host has %s, want %s", step.f, got, step.want)
		}
	}
}

func TestForwardingOfAKilledProcessIsCleanedUp(t *testing.T) {
	dir := t.TempDir()
	s, show := router(t, dir)
	if err := s.Forward(lan); err != nil {
		t.Fatal(err)
	}
	if err := New(Options{State: dir}).Cleanup(nil); err != nil {
		t.Fatal(err)
	}
	if got, want := show(), "0 none 0 0 1 []"; got != want {
		t.Errorf("after a crash and Cleanup the host has %s, want %s", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, JournalName)); err == nil {
		t.Error("the journal is still there")
	}
}

func TestWhatOthersHaveTurnedStays(t *testing.T) {
	s, show := router(t, t.TempDir())
	if err := s.Forward(lan); err != nil {
		t.Fatal(err)
	}
	if err := writeKnob("net/ipv4/ip_forward", "1"); err != nil { // a container engine began, say
		t.Fatal(err)
	}
	if err := writeKnob("net/ipv6/conf/lan0/accept_ra", "0"); err != nil {
		t.Fatal(err)
	}
	if err := s.Forward(Forwarding{Interface: "cvlan0"}); err != nil {
		t.Fatal(err)
	}
	if got, want := show(), "1 0 1 0 0 []"; got != want {
		t.Errorf("the host has %s, want %s", got, want)
	}
}

func TestNothingIsForwardedWithoutAJournal(t *testing.T) {
	dir := t.TempDir()
	s, show := router(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a folder that takes no file
		t.Fatal(err)
	}
	if err := s.Forward(lan); err == nil || !strings.Contains(err.Error(), "journal") {
		t.Errorf("forwarded without a journal: %v", err)
	}
	if got := show(); got != hostAlone {
		t.Errorf("the host has %s, want %s", got, hostAlone)
	}
}

func TestTwoNetworksShareTheSwitches(t *testing.T) {
	s, show := router(t, t.TempDir())
	makeTUN(t, "cvlan1")
	if err := s.Up(Config{Interface: "cvlan1", MTU: 1280, Addresses: prefixes("10.78.0.5/16")}); err != nil {
		t.Fatal(err)
	}
	second := Forwarding{Interface: "cvlan1", To: lan.To, Masquerade: true}
	for _, f := range []Forwarding{lan, second} {
		if err := s.Forward(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Down("cvlan0"); err != nil {
		t.Fatal(err)
	}
	if got, want := show(), "0 0 1 1 2 [cvlan-cvlan1 2]"; got != want {
		t.Errorf("after one has gone the host has %s, want %s", got, want)
	}
	if err := s.Down("cvlan1"); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != hostAlone {
		t.Errorf("after both have gone the host has %s, want %s", got, hostAlone)
	}
}
