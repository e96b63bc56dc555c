package osnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func prefixes(all ...string) []netip.Prefix {
	var ps []netip.Prefix
	for _, s := range all {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

// ownNetwork moves the test's thread into a network namespace of its own, which ends with the thread.
func ownNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root for a network namespace: %v", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeTUN makes a persistent device, which stays behind as if its process had been killed in the middle of something.
func makeTUN(t *testing.T, name string) netlink.Link {
	t.Helper()
	if err := netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TUN}); err != nil {
		t.Skipf("needs TUN devices: %v", err)
	}
	return mustLink(t, name)
}

func mustLink(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// makeVeth makes a cable with both ends here, gives one end addresses and raises both.
func makeVeth(t *testing.T, name string, addrs ...string) {
	t.Helper()
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "p"}); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{name, name + "p"} {
		l := mustLink(t, n) // without link-local addresses, which come and change state late
		if err := errors.Join(netlink.LinkSetIP6AddrGenMode(l, nl6AddrGenNone), netlink.LinkSetUp(l)); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range addrs {
		if err := addAddress(mustLink(t, name), netip.MustParsePrefix(a)); err != nil {
			t.Fatal(err)
		}
	}
}

// dump shows the whole network of the namespace: links, addresses, routes of all tables.
func dump(t *testing.T) string {
	t.Helper()
	var lines []string
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		lines = append(lines, fmt.Sprintf("link %s %s mtu %d", l.Attrs().Name, l.Type(), l.Attrs().MTU))
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		lines = append(lines, fmt.Sprintf("addr %v on %d", a.IPNet, a.LinkIndex))
	}
	err = netlink.RouteListFilteredIter(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if p, ok := prefix(r.Dst); ok && (p.Addr().IsMulticast() || p.Addr().Is6() && r.Protocol == unix.RTPROT_KERNEL) {
			return true // the kernel's own, late, when a link has its carrier or an address is known to be alone
		}
		lines = append(lines, fmt.Sprintf("route %v dev %d table %d proto %d", r.Dst, r.LinkIndex, r.Table, r.Protocol))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var office = Config{
	Interface: "cvlan0", MTU: 1380,
	Addresses: prefixes("10.77.0.5/16", "fd77::5/64"),
	Routes:    prefixes("10.77.0.0/16", "192.168.200.0/24", "fd99::/48"),
}

func TestUpThenDownLeavesTheInterfaceBare(t *testing.T) {
	ownNetwork(t)
	makeTUN(t, "cvlan0")
	before := dump(t)
	dir := t.TempDir()
	s := New(Options{State: dir})
	if err := s.Up(office); err != nil {
		t.Fatal(err)
	}
	up := dump(t)
	for _, want := range []string{
		"link cvlan0 tuntap mtu 1380", "addr 10.77.0.5/16", "addr fd77::5/64",
		"route 10.77.0.0/16 dev 2 table 254 proto 2", "route 192.168.200.0/24 dev 2 table 254 proto 157", "route fd99::/48 dev 2 table 254 proto 157",
	} {
		if !strings.Contains(up, want) {
			t.Errorf("no %q in\n%s", want, up)
		}
	}
	if strings.Contains(up, "fe80") {
		t.Errorf("a link-local address in\n%s", up)
	}
	if err := s.Up(office); err != nil || dump(t) != up {
		t.Errorf("the same again: %v, now\n%s", err, dump(t))
	}
	for range 2 {
		if err := s.Down("cvlan0"); err != nil {
			t.Fatal(err)
		}
	}
	if after := strings.Replace(dump(t), "mtu 1380", "mtu 1500", 1); after != before {
		t.Errorf("after Down\n%s\nbefore Up\n%s", after, before)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("journal left: %v", left)
	}
}

func TestUpAgainChangesWhatDiffers(t *testing.T) {
	ownNetwork(t)
	l := makeTUN(t, "cvlan0")
	s := New(Options{State: t.TempDir()})
	if err := s.Up(office); err != nil {
		t.Fatal(err)
	}
	if err := addAddress(l, netip.MustParsePrefix("10.1.1.1/32")); err != nil { // somebody else's wish
		t.Fatal(err)
	}
	next := office
	next.MTU, next.Addresses, next.Routes = 1400, prefixes("10.77.0.6/16"), prefixes("192.168.201.0/24")
	if err := s.Up(next); err != nil {
		t.Fatal(err)
	}
	now := dump(t)
	for _, want := range []string{"mtu 1400", "addr 10.77.0.6/16", "route 192.168.201.0/24", "addr 10.1.1.1/32"} {
		if !strings.Contains(now, want) {
			t.Errorf("no %q in\n%s", want, now)
		}
	}
	for _, not := range []string{"addr 10.77.0.5", "fd77::5", "192.168.200.0", "fd99::"} {
		if strings.Contains(now, not) {
			t.Errorf("still %q in\n%s", not, now)
		}
	}
}

func TestRouteOfSomebodyElseIsNotReplaced(t *testing.T) {
	ownNetwork(t)
	makeTUN(t, "cvlan0")
	makeVeth(t, "lan0", "192.168.1.10/24")
	lan := mustLink(t, "lan0")
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lan.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("192.168.200.0/24"))}); err != nil {
		t.Fatal(err)
	}
	before := dump(t)
	s := New(Options{State: t.TempDir()})
	err := s.Up(office)
	if err == nil || !strings.Contains(err.Error(), "192.168.200.0/24") || !strings.Contains(err.Error(), "has one already") {
		t.Fatalf("up: %v", err)
	}
	if after := strings.Replace(dump(t), "cvlan0 tuntap mtu 1380", "cvlan0 tuntap mtu 1500", 1); after != before {
		t.Errorf("a failed Up left\n%s\nbefore\n%s", after, before)
	}
}

func TestKilledDaemonsInterfaceIsRemovedAtTheNextStart(t *testing.T) {
	ownNetwork(t)
	makeVeth(t, "lan0", "192.168.1.10/24")
	before := dump(t)
	dir := t.TempDir()
	makeTUN(t, "cvlan0")
	if err := New(Options{State: dir}).Up(office); err != nil {
		t.Fatal(err)
	}
	// kill -9: nobody calls Down
	s := New(Options{State: dir})
	for range 2 {
		if err := s.Cleanup(nil); err != nil {
			t.Fatal(err)
		}
	}
	if after := dump(t); after != before {
		t.Errorf("after Cleanup\n%s\nbefore\n%s", after, before)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("journal left: %v", left)
	}
}

func TestInterfaceThatOnlyHasTheNameIsLeftAlone(t *testing.T) {
	ownNetwork(t)
	dir := t.TempDir()
	s := New(Options{State: dir})
	for what, replace := range map[string]func(){
		"another TUN": func() { makeTUN(t, "cvlan0") },
		"a bridge": func() {
			if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "cvlan0"}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		l := makeTUN(t, "cvlan0")
		if err := s.Up(office); err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkDel(l); err != nil {
			t.Fatal(err)
		}
		replace()
		before := dump(t)
		if err := New(Options{State: dir}).Cleanup(nil); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if after := dump(t); after != before {
			t.Errorf("%s: after Cleanup\n%s\nbefore\n%s", what, after, before)
		}
		if err := s.Down("cvlan0"); err != nil || dump(t) != before {
			t.Errorf("%s: after Down (%v)\n%s\nbefore\n%s", what, err, dump(t), before)
		}
		if err := netlink.LinkDel(mustLink(t, "cvlan0")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJournalIsWrittenBeforeTheHostIsTouched(t *testing.T) {
	ownNetwork(t)
	makeTUN(t, "cvlan0")
	dir := t.TempDir()
	s := New(Options{State: dir})
	if err := s.Up(office); err != nil {
		t.Fatal(err)
	}
	next := office
	next.Routes = append(slices.Clone(office.Routes), prefixes("10.99.0.0/16")...)
	j := newJournal(dir)
	if err := j.load(); err != nil {
		t.Fatal(err)
	}
	if e, _ := j.of("cvlan0"); !slices.Equal(e.Addresses, office.Addresses) || !slices.Equal(e.Routes, office.routes()) || e.Identity.Index == 0 {
		t.Fatalf("journal: %+v", e)
	}
	if err := os.RemoveAll(dir); err != nil { // now the journal cannot be written
		t.Fatal(err)
	}
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := s.Up(next); err != nil || !strings.Contains(log.String(), "cannot keep the journal") {
		t.Fatalf("up without a journal: %v, log %q", err, log.String())
	}
	if !strings.Contains(dump(t), "10.99.0.0/16") {
		t.Fatal("the tunnel did not come up with a broken disk")
	}
}

func TestDamagedJournalIsGivenUpWithAWarning(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, JournalName), []byte("{"), 0o600)
	var log bytes.Buffer
	s := New(Options{State: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := s.Cleanup(nil); err != nil || !strings.Contains(log.String(), "damaged") {
		t.Fatalf("cleanup: %v, log %q", err, log.String())
	}
	if err := s.Cleanup(nil); err != nil {
		t.Fatal(err)
	}
}

func TestUpSaysWhatIsWrong(t *testing.T) {
	ownNetwork(t)
	makeVeth(t, "lan0")
	s := New(Options{})
	for want, c := range map[string]Config{
		"there is none":          office,
		"is not a TUN device":    {Interface: "lan0", MTU: 1380},
		"no interface named":     {MTU: 1380},
		"MTU 100 is outside":     {Interface: "cvlan0", MTU: 100},
		"never set":              {Interface: "cvlan0", MTU: 1380, Routes: prefixes("0.0.0.0/0")},
		"is no address range":    {Interface: "cvlan0", MTU: 1380, Addresses: []netip.Prefix{{}}},
		"17 addresses and 0 rou": {Interface: "cvlan0", MTU: 1380, Addresses: make([]netip.Prefix, 17)},
	} {
		if err := s.Up(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("up %+v: %v; want %q", c, err, want)
		}
	}
}

func TestHostWithoutIPv6GetsIPv4(t *testing.T) {
	ownNetwork(t)
	makeTUN(t, "cvlan0")
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/cvlan0/disable_ipv6", []byte("1"), 0); err != nil {
		t.Skipf("sysctl: %v", err)
	}
	var log bytes.Buffer
	s := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := s.Up(office); err != nil || !strings.Contains(log.String(), "IPv6 is switched off") {
		t.Fatalf("up: %v, log %q", err, log.String())
	}
	if now := dump(t); !strings.Contains(now, "10.77.0.5/16") || strings.Contains(now, "fd77") {
		t.Fatalf("now\n%s", now)
	}
}

func TestClashesNameTheRangeAndWhereItIs(t *testing.T) {
	ownNetwork(t)
	makeVeth(t, "lan0", "192.168.1.10/24", "fd01::10/64")
	lan := mustLink(t, "lan0").Attrs().Index
	for dst, table := range map[string]int{"0.0.0.0/0": 0, "10.0.0.0/8": 0, "172.31.0.0/16": 52, "0.0.0.0/1": 0} {
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: lan, Dst: ipNet(netip.MustParsePrefix(dst)), Table: table, Scope: netlink.SCOPE_LINK}); err != nil {
			t.Fatalf("%s: %v", dst, err)
		}
	}
	makeTUN(t, "cvlan0")
	s := New(Options{})
	if err := s.Up(office); err != nil {
		t.Fatal(err)
	}
	for ranges, want := range map[string]string{
		"192.168.0.0/16": "[{192.168.1.0/24 lan0} {192.168.200.0/24 cvlan0}]",
		"192.168.1.7/32": "[{192.168.1.0/24 lan0}]",
		"10.77.0.0/16":   "[{10.0.0.0/8 lan0} {10.77.0.0/16 cvlan0}]",
		"172.31.9.0/24":  "[{172.31.0.0/16 lan0}]",
		"fd01::/48":      "[{fd01::/64 lan0}]",
		"100.64.0.0/10":  "[]",
		"fe80::/10":      "[]",
	} {
		got, err := s.Clashes(prefixes(ranges))
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v; want %s", ranges, got, err, want)
		}
	}
	got, err := s.Clashes(prefixes("10.77.0.0/16", "192.168.0.0/16"), "lan0", "cvlan0")
	if err != nil || len(got) != 0 {
		t.Errorf("with exceptions: %v, %v", got, err)
	}
}

func TestLocalAddrsAreThoseThatOthersCanUse(t *testing.T) {
	ownNetwork(t)
	makeVeth(t, "docker0", "172.17.0.1/16")
	makeVeth(t, "lan0", "192.168.1.10/24", "fd01::10/64")
	makeVeth(t, "off0", "192.168.9.9/24")
	if err := netlink.LinkSetDown(mustLink(t, "off0p")); err != nil { // no carrier
		t.Fatal(err)
	}
	lan := mustLink(t, "lan0")
	old := &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("fd01::dead/64")), Flags: unix.IFA_F_NODAD, ValidLft: 1000, PreferedLft: 0}
	err := errors.Join(netlink.AddrAdd(lan, old), netlink.RouteAdd(&netlink.Route{LinkIndex: lan.Attrs().Index, Gw: []byte{192, 168, 1, 1}}))
	if err != nil {
		t.Fatal(err)
	}
	makeTUN(t, "cvlan0")
	s := New(Options{})
	if err := s.Up(office); err != nil {
		t.Fatal(err)
	}
	got, err := s.LocalAddrs("cvlan0")
	if want := "[192.168.1.10 fd01::10 172.17.0.1]"; err != nil || fmt.Sprint(got) != want {
		t.Fatalf("local addresses %v, %v; want %s", got, err, want)
	}
}

func TestTheKernelTellsOfChanges(t *testing.T) {
	ownNetwork(t)
	makeVeth(t, "lan0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, err := New(Options{}).Changes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for settled := false; !settled; { // whatever the kernel still has to say about the link
		select {
		case <-changes:
		case <-time.After(3 * quiet):
			settled = true
		}
	}
	if err := addAddress(mustLink(t, "lan0"), netip.MustParsePrefix("192.168.1.10/24")); err != nil {
		t.Fatal(err)
	}
	<-changes
	cancel()
	for range changes {
	}
}

func TestPingHearsItsOwnReplyOnly(t *testing.T) {
	ownNetwork(t)
	makeVeth(t, "lan0", "192.168.1.10/24", "fd01::10/64")
	s := New(Options{})
	for _, to := range []string{"127.0.0.1", "::1"} {
		for _, payload := range []int{0, 56, 9000} {
			rtt, err := s.Ping(t.Context(), "lo", netip.MustParseAddr(to), payload)
			if err != nil || rtt <= 0 {
				t.Errorf("ping %s with %d bytes: %v, %v", to, payload, rtt, err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := s.Ping(ctx, "lan0", netip.MustParseAddr("192.168.1.99"), 56)
	if !errors.Is(err, ErrNoReply) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := s.Ping(t.Context(), "nosuch0", netip.MustParseAddr("192.168.1.99"), 56); err == nil {
		t.Error("no such interface, and no error")
	}
}
