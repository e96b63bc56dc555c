package sock

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kernel fragments a datagram larger than the MTU, but not a train of them.
func TestATrainTooLargeForThePathArrives(t *testing.T) {
	ownNetwork(t)
	if err := netlink.LinkSetMTU(link(t, "lo"), 1500); err != nil {
		t.Fatal(err)
	}
	for _, at := range []netip.Addr{loopback, loopback6} {
		a, b := mustOpen(t, Open, Config{}), mustOpen(t, Open, Config{})
		to := netip.AddrPortFrom(at, b.Port())
		large := Train{Data: pattern(4*2000 + 1), Segment: 2000, Remote: to, Local: at}
		small := Train{Data: pattern(4 * 1400), Segment: 1400, Remote: to, Local: at}
		want := datagrams(large, small)
		send(t, a.(*udp), large, small)
		compare(t, datagrams(receive(t, b, len(want))...), want)
		dropped(t, a)
		if !a.Stats().SendGSO {
			t.Error("one path switched trains off")
		}
	}
}

func TestATrainLeavesThoughItsAddressIsGone(t *testing.T) {
	ownNetwork(t)
	for _, o := range openers()[:3] {
		for at, gone := range map[string]string{"127.0.0.1": "192.0.2.1", "::1": "2001:db8::1"} {
			at, gone := netip.MustParseAddr(at), netip.MustParseAddr(gone)
			if at.Is6() && !o.ipv6 {
				continue
			}
			a, b := mustOpen(t, o.open, Config{}), mustOpen(t, o.open, Config{})
			train := Train{Data: pattern(5 * 100), Segment: 100, Remote: netip.AddrPortFrom(at, b.Port()), Local: gone}
			send(t, a.(*udp), train)
			got := receive(t, b, 5)
			compare(t, datagrams(got...), datagrams(train))
			if got[0].Remote.Addr() != at {
				t.Errorf("left from %v", got[0].Remote)
			}
			dropped(t, a)
		}
	}
}

func TestNoRouteIsCounted(t *testing.T) {
	ownNetwork(t)
	for dst, kind := range map[string]int{"10.1.0.0/16": unix.RTN_UNREACHABLE, "10.2.0.0/16": unix.RTN_PROHIBIT} {
		_, to, _ := net.ParseCIDR(dst)
		if err := netlink.RouteAdd(&netlink.Route{Dst: to, Type: kind}); err != nil {
			t.Fatal(err)
		}
	}
	a, b := mustOpen(t, Open, Config{}), mustOpen(t, Open, Config{})
	var trains []Train
	for _, to := range []string{"10.1.0.1:9", "10.2.0.1:9", "10.3.0.1:9", "[2001:db8::1]:9", "[fe80::1]:9"} {
		trains = append(trains, Train{Data: pattern(3), Segment: 1, Remote: netip.MustParseAddrPort(to)})
	}
	trains = append(trains, Train{Data: []byte("last"), Remote: netip.AddrPortFrom(loopback, b.Port())})
	send(t, a.(*udp), trains...)
	compare(t, datagrams(receive(t, b, 1)...), [][]byte{[]byte("last")})
	if st := a.Stats(); st.Unreachable != 12 || st.Refused != 3 {
		t.Errorf("%+v", st)
	}
}

// fill sends to a neighbour who does not answer until the socket's buffer is full, and returns when Send has to wait. The Send ends on ended.
func fill(t *testing.T, u *udp, to netip.Addr) (sent *int, ended chan error) {
	full, ended := make(chan struct{}), make(chan error, 1)
	seen := false
	u.sendmmsg = func(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
		n, e := sendmmsg(fd, m)
		if e == unix.EAGAIN && !seen {
			seen = true
			close(full)
		}
		return n, e
	}
	sent = new(int)
	go func() {
		for {
			if err := u.Send([]Train{{Data: pattern(1000), Remote: netip.AddrPortFrom(to, 9)}}); err != nil {
				ended <- err
				return
			}
			if *sent++; seen {
				ended <- nil
				return
			}
		}
	}()
	select {
	case <-full:
	case err := <-ended:
		t.Fatal(err)
	}
	return sent, ended
}

func TestSendWaitsWhileTheBufferIsFull(t *testing.T) {
	to := cable(t)
	u := mustOpen(t, Open, Config{Buffer: 10_000}).(*udp)
	sent, ended := fill(t, u, to)
	neighbour(t, to) // takes what has waited for it
	if err := <-ended; err != nil || *sent < 2 {
		t.Errorf("after %d datagrams: %v", *sent, err)
	}
	dropped(t, u)
}

func TestClosingEndsSend(t *testing.T) {
	to := cable(t)
	u := mustOpen(t, Open, Config{Buffer: 10_000}).(*udp)
	_, ended := fill(t, u, to)
	u.Close()
	if err := <-ended; err != net.ErrClosed {
		t.Error(err)
	}
}

func TestPathMTU(t *testing.T) {
	to := cable(t)
	six := netip.MustParseAddr("fd09::2")
	for _, at := range []netip.Addr{to, six, netip.AddrFrom16(to.As16())} {
		if mtu, err := PathMTU(at); mtu != 1500 || err != nil {
			t.Errorf("%v: %d, %v", at, mtu, err)
		}
	}
	_, narrow, _ := net.ParseCIDR("10.9.0.2/32")
	if err := netlink.RouteAdd(&netlink.Route{Dst: narrow, LinkIndex: link(t, "a").Attrs().Index, MTU: 1280}); err != nil {
		t.Fatal(err)
	}
	if mtu, err := PathMTU(to); mtu != 1280 || err != nil {
		t.Errorf("%v: %d, %v", to, mtu, err)
	}
	if mtu, err := PathMTU(netip.MustParseAddr("203.0.113.1")); mtu != 0 || !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("without a route: %d, %v", mtu, err)
	}
	if _, err := PathMTU(netip.Addr{}); err == nil {
		t.Error("no address has a path")
	}
}
