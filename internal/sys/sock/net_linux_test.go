package sock

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ownNetwork moves the test's thread into a network namespace of its own, which ends with the thread and the sockets in it. Its loopback
// is up.
func ownNetwork(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root for a network namespace: %v", err)
	}
	lo := link(t, "lo")
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// cable gives the test its own network with a veth, and returns an address at the other end that nobody has yet: see neighbour.
func cable(t testing.TB) netip.Addr {
	t.Helper()
	ownNetwork(t)
	a := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "a", MTU: 1500}, PeerName: "b"}
	if err := netlink.LinkAdd(a); err != nil {
		t.Skipf("needs veth: %v", err)
	}
	addr, _ := netlink.ParseAddr("10.9.0.1/24")
	addr6, _ := netlink.ParseAddr("fd09::1/64")
	addr6.Flags = unix.IFA_F_NODAD
	if err := errors.Join(netlink.AddrAdd(a, addr), netlink.AddrAdd(a, addr6), netlink.LinkSetUp(a), netlink.LinkSetUp(link(t, "b"))); err != nil {
		t.Fatal(err)
	}
	return netip.MustParseAddr("10.9.0.2")
}

// neighbour gives an address at the cable's other end to a machine that drops everything on arrival.
func neighbour(t testing.TB, at netip.Addr) {
	t.Helper()
	mac, _ := net.ParseMAC("02:00:00:00:00:99")
	n := &netlink.Neigh{LinkIndex: link(t, "a").Attrs().Index, IP: at.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}
	if err := netlink.NeighSet(n); err != nil {
		t.Fatal(err)
	}
}
