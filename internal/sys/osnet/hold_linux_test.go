package osnet

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
)

// heard reports whether the kernel takes a packet from an address on the internet that comes in by an interface: a filter of reverse paths may not.
func heard(t *testing.T, from, by, to string) bool {
	t.Helper()
	_, err := netlink.RouteGetWithOptions(net.ParseIP(to), &netlink.RouteGetOptions{SrcAddr: net.ParseIP(from), Iif: by})
	return err == nil
}

// shut fails unless nothing leaves but what is the daemon's own, to which answers come.
func shut(t *testing.T, when string) {
	t.Helper()
	for _, to := range []string{"5.5.5.5", "2a00:5::5"} {
		if by := way(t, to, false); by != "none" && by != "lo" {
			t.Errorf("%s: to %s by %s", when, to, by)
		}
		if by := way(t, to, true); by != "lan0" {
			t.Errorf("%s: the daemon's own to %s by %s", when, to, by)
		}
	}
	if !heard(t, "5.5.5.5", "lan0", "192.168.1.10") {
		t.Errorf("%s: the daemon hears no answers", when)
	}
}

func TestADoorIsHeldFromAKillOnUntilTheExitIsThereAgain(t *testing.T) {
	dir := t.TempDir()
	s, show := traveller(t, dir)
	if err := writeKnob("net/ipv4/conf/lan0/rp_filter", "1"); err != nil {
		t.Fatal(err)
	}
	before := show()
	makeTUN(t, "cvlan0")
	if err := s.Hold(&Exit{}); err != nil {
		t.Fatal(err)
	}
	shut(t, "before the network is up")
	if err := s.Up(member(&Exit{IPv6: true})); err != nil {
		t.Fatal(err)
	}
	leaves(t, "an exit", map[string][2]string{"5.5.5.5": {"cvlan0", "lan0"}, "2a00:5::5": {"cvlan0", "lan0"}, "192.168.1.7": {"cvlan0", "lan0"}})
	netlink.LinkDel(mustLink(t, "cvlan0")) // as with its process

	s = New(Options{State: dir})
	if err := s.Cleanup(&Exit{LAN: true}); err != nil {
		t.Fatal(err)
	}
	shut(t, "the next start")
	leaves(t, "the next start", map[string][2]string{"192.168.1.7": {"lan0", "lan0"}})
	makeTUN(t, "cvlan0")
	if err := s.Up(member(nil)); err != nil {
		t.Fatal(err)
	}
	shut(t, "the network is up, and the exit not known yet")
	leaves(t, "the network is up", map[string][2]string{"10.77.0.9": {"cvlan0", "cvlan0"}})
	if err := s.Up(member(&Exit{LAN: true})); err != nil {
		t.Fatal(err)
	}
	leaves(t, "the exit again", map[string][2]string{"5.5.5.5": {"cvlan0", "lan0"}})
	if err := s.Up(member(nil)); err != nil {
		t.Fatal(err)
	}
	shut(t, "the exit given up by the network")
	if err := s.Up(member(&Exit{})); err != nil {
		t.Fatal(err)
	}
	if err := s.Down("cvlan0"); err != nil {
		t.Fatal(err)
	}
	shut(t, "the network down")
	netlink.LinkDel(mustLink(t, "cvlan0"))
	if err := s.Hold(nil); err != nil {
		t.Fatal(err)
	}
	if now := show(); now != before {
		t.Errorf("after all\n%s\nbefore\n%s", now, before)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("the journal stays: %v", left)
	}
}

func TestAHoldOfAKilledProcessEndsWhereNobodyWantsIt(t *testing.T) {
	dir := t.TempDir()
	s, show := traveller(t, dir)
	before := show()
	if err := s.Hold(&Exit{}); err != nil {
		t.Fatal(err)
	}
	if err := New(Options{State: dir}).Cleanup(nil); err != nil {
		t.Fatal(err)
	}
	if now := show(); now != before {
		t.Errorf("after Cleanup\n%s\nbefore\n%s", now, before)
	}
}

func TestADamagedJournalHoldsNoDoorForEver(t *testing.T) {
	dir := t.TempDir()
	s, _ := traveller(t, dir)
	if err := s.Hold(&Exit{}); err != nil {
		t.Fatal(err)
	}
	spoil := func() {
		t.Helper()
		for _, name := range []string{JournalName, JournalName + ".prev"} {
			_ = os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600)
		}
	}
	spoil()
	if err := New(Options{State: dir}).Cleanup(&Exit{}); err != nil {
		t.Fatal(err)
	}
	shut(t, "where it is wanted")
	spoil()
	if err := New(Options{State: dir}).Cleanup(nil); err != nil {
		t.Fatal(err)
	}
	leaves(t, "where it is not", map[string][2]string{"5.5.5.5": {"lan0", "lan0"}})
}

func TestNothingIsHeldWithoutAJournal(t *testing.T) {
	s, show := traveller(t, "/dev/null/none")
	before := show()
	if err := s.Hold(&Exit{}); err == nil {
		t.Error("it is held")
	}
	if now := show(); now != before {
		t.Errorf("after the refusal\n%s\nbefore\n%s", now, before)
	}
}

func TestNetworksThatComeWhileADoorIsHeldAreInReach(t *testing.T) {
	s, _ := traveller(t, t.TempDir())
	if err := s.Hold(&Exit{}); err != nil {
		t.Fatal(err)
	}
	makeTUN(t, "cvlan1")
	if err := s.Up(Config{Interface: "cvlan1", MTU: 1280, Addresses: prefixes("10.78.0.5/16"), Routes: prefixes("10.20.0.0/16")}); err != nil {
		t.Fatal(err)
	}
	leaves(t, "beside a hold", map[string][2]string{"10.78.0.9": {"cvlan1", "cvlan1"}, "10.20.0.9": {"cvlan1", "cvlan1"}})
	shut(t, "another network up")
}
