package tun

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// raise sets the interface up and gives it addresses.
func raise(t testing.TB, name string, addrs ...string) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			t.Fatal(err)
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(l, addr); err != nil {
			t.Fatal(err)
		}
		for local := false; !local; { // a worker of the kernel's makes the route by which an IPv6 address is reached
			routes, err := netlink.RouteGet(addr.IP)
			if err != nil && !errors.Is(err, unix.ENETUNREACH) {
				t.Fatal(err)
			}
			local = len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL
		}
	}
}

// raised makes a device with the address 10.9.0.1/24 in a network of the test's own.
func raised(t testing.TB, c Config) Device {
	t.Helper()
	ownNetwork(t)
	d := mustCreate(t, c)
	raise(t, d.Name(), "10.9.0.1/24")
	return d
}

// dial opens a UDP socket whose packets the host sends into the interface.
func dial(t testing.TB, to string) *net.UDPConn {
	t.Helper()
	c, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// udp reads until there are n packets of UDP over IPv4, and skips what the kernel says of itself on a new link.
func (d *desk) udp(t testing.TB, q Queue, n int) (found []offload.Super) {
	t.Helper()
	for len(found) < n {
		got, err := q.Read(d.buf, d.supers)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range d.supers[:got] {
			if s.Packet[0]>>4 == 4 && s.Packet[9] == protoUDP {
				found = append(found, offload.Super{Layout: s.Layout, Packet: slices.Clone(s.Packet)})
			}
		}
	}
	return found
}

func TestPacketsOfTheHostAreGatheredInOrder(t *testing.T) {
	d := raised(t, Config{})
	c := dial(t, "10.9.0.2:9")
	for _, say := range []string{"one", "two", "three"} {
		c.Write([]byte(say))
	}
	desk := newDesk()
	var heard []string
	for _, s := range desk.udp(t, d.Queues()[0], 3) {
		for _, p := range split(s) {
			heard = append(heard, string(p[28:]))
			if c := pseudo(p, offload.UDP, 20); fold(uint32(c)+sum(p[20:])) != 0xffff {
				t.Errorf("wrong checksum on %q", p[28:])
			}
		}
	}
	if got := strings.Join(heard, " "); got != "one two three" {
		t.Fatal(got)
	}
}

func TestPacketsLieApartInTheBuffer(t *testing.T) {
	d := raised(t, Config{})
	c := dial(t, "10.9.0.2:9")
	for range 5 {
		c.Write([]byte("x"))
	}
	desk := newDesk()
	n, err := d.Queues()[0].Read(desk.buf, desk.supers)
	if err != nil || n < 5 {
		t.Fatalf("%d packets, %v", n, err)
	}
	free := 0
	for i, s := range desk.supers[:n] {
		at := cap(desk.buf) - cap(s.Packet)
		if room := at - free; i == 0 && at != Headroom || i > 0 && room < Between {
			t.Errorf("packet %d begins at %d, %d bytes behind the one before", i, at, room)
		}
		free = at + len(s.Packet)
	}
}

func TestReadTakesNoMoreThanFits(t *testing.T) {
	d := raised(t, Config{})
	q, desk := d.Queues()[0], newDesk()
	c := dial(t, "10.9.0.2:9")
	for range 4 {
		c.Write([]byte("x"))
	}
	for _, room := range []struct {
		buf    []byte
		supers []offload.Super
	}{{desk.buf[:MinBuffer], desk.supers}, {desk.buf, desk.supers[:1]}} {
		if n, err := q.Read(room.buf, room.supers); n != 1 || err != nil {
			t.Errorf("%d packets into %d bytes and %d supers: %v", n, len(room.buf), len(room.supers), err)
		}
	}
	if _, err := q.Read(desk.buf[:MinBuffer-1], desk.supers); !errors.Is(err, ErrRoom) {
		t.Errorf("small buffer: %v", err)
	}
	if _, err := q.Read(desk.buf, nil); !errors.Is(err, ErrRoom) {
		t.Errorf("no supers: %v", err)
	}
}

// Anybody with a packet socket can put anything onto an interface.
func TestNonsenseIsSkippedAndCounted(t *testing.T) {
	d := raised(t, Config{})
	l, err := netlink.LinkByName(d.Name())
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	to := &unix.SockaddrLinklayer{Ifindex: l.Attrs().Index, Protocol: binary.NativeEndian.Uint16([]byte{8, 0})} // ETH_P_IP
	for _, junk := range [][]byte{{0x45}, []byte("neither version four nor six"), append([]byte{0x4f}, make([]byte, 30)...)} {
		if err := unix.Sendto(fd, junk, 0, to); err != nil {
			t.Fatal(err)
		}
	}
	dial(t, "10.9.0.2:9").Write([]byte("sense"))
	newDesk().udp(t, d.Queues()[0], 1)
	if got := d.Stats().Skipped; got != 3 {
		t.Fatalf("skipped %d", got)
	}
}

func TestRunsInPiecesReachTheHost(t *testing.T) {
	d := raised(t, Config{})
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 9, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := datagram(c.LocalAddr().(*net.UDPAddr).Port, []byte("in three pieces"))
	whole := slices.Clone(p)
	finish(whole, 20, 6)
	runs := []offload.Run{
		{Layout: unsummed, Parts: [][]byte{p[:30], p[30:31], p[31:]}},
		{Parts: [][]byte{whole}},
	}
	if err := d.Queues()[0].Write(runs); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for range runs {
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "in three pieces" {
			t.Fatalf("heard %q, %v", buf[:n], err)
		}
	}
}

func TestRefusedRunsAreCountedAndTheRestGoesOn(t *testing.T) {
	ownNetwork(t)
	d := mustCreate(t, Config{})
	q := d.Queues()[0]
	good := offload.Run{Layout: unsummed, Parts: [][]byte{datagram(9, []byte("x"))}}
	if err := q.Write([]offload.Run{good, good}); err != nil || d.Stats().Refused != 2 {
		t.Fatalf("down: refused %d, %v", d.Stats().Refused, err)
	}
	raise(t, d.Name(), "10.9.0.1/24")
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 9, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	good.Parts[0] = datagram(c.LocalAddr().(*net.UDPAddr).Port, []byte("still here"))
	bad := []offload.Run{
		{},
		{Parts: [][]byte{nil}},
		{Parts: make([][]byte, maxParts+1)},
		{Parts: [][]byte{{0x10, 1, 2, 3}}},
		{Layout: offload.Layout{Partial: true, Start: 70000}, Parts: good.Parts},
		{Layout: offload.Layout{Partial: true, Start: 200, Offset: 6}, Parts: good.Parts},
		{Layout: offload.Layout{Protocol: offload.TCP, Segment: -1}, Parts: good.Parts},
	}
	if err := q.Write(append(bad, good)); err != nil || d.Stats().Refused != 2+uint64(len(bad)) {
		t.Fatalf("refused %d of %d: %v", d.Stats().Refused-2, len(bad), err)
	}
	buf := make([]byte, 100)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "still here" {
		t.Fatalf("heard %q, %v", buf[:n], err)
	}
}

func TestReadEndsWhenTheDeviceIsClosedOrTakenAway(t *testing.T) {
	ownNetwork(t)
	for _, end := range []string{"close", "delete"} {
		d := mustCreate(t, Config{Name: "cvlan0", Queues: 2})
		raise(t, "cvlan0", "10.9.0.1/24")
		ends := make(chan error)
		for _, q := range d.Queues() {
			go func() {
				desk := newDesk()
				for {
					if _, err := q.Read(desk.buf, desk.supers); err != nil {
						ends <- err
						return
					}
				}
			}()
		}
		if end == "close" {
			d.Close()
		} else if l, err := netlink.LinkByName("cvlan0"); err != nil {
			t.Fatal(err)
		} else if err := netlink.LinkDel(l); err != nil {
			t.Fatal(err)
		}
		q := d.Queues()[1]
		errs := []error{<-ends, <-ends, q.Write([]offload.Run{{Parts: [][]byte{datagram(9, nil)}}})}
		for _, err := range errs {
			if err == nil || errors.Is(err, os.ErrClosed) != (end == "close") || end == "delete" && !errors.Is(err, unix.EBADFD) {
				t.Errorf("after %s: %v", end, err)
			}
		}
		if end == "delete" {
			t.Log(errs[0])
			d.Close()
			if _, err := q.Read(make([]byte, MinBuffer), make([]offload.Super, 1)); !errors.Is(err, os.ErrClosed) {
				t.Errorf("after delete and close: %v", err)
			}
		}
	}
}

func TestAFlowStaysOnItsQueue(t *testing.T) {
	const flows, packets = 24, 8
	d := raised(t, Config{Queues: 4})
	for range packets {
		for i := range flows {
			c := dialFrom(t, 1000+i)
			c.Write([]byte("x"))
			c.Close()
		}
	}
	type sight struct{ queue, port int }
	sights := make(chan sight, flows*packets)
	for i, q := range d.Queues() {
		go func() {
			desk := newDesk()
			for {
				n, err := q.Read(desk.buf, desk.supers)
				if err != nil {
					return
				}
				for _, s := range desk.supers[:n] {
					if p := s.Packet; p[0]>>4 == 4 && p[9] == protoUDP {
						sights <- sight{i, int(binary.BigEndian.Uint16(p[20:]))}
					}
				}
			}
		}()
	}
	home, used := map[int]int{}, map[int]bool{}
	for range flows * packets {
		s := <-sights
		if was, known := home[s.port]; known && was != s.queue {
			t.Errorf("flow of port %d moved from queue %d to %d", s.port, was, s.queue)
		}
		home[s.port], used[s.queue] = s.queue, true
	}
	if len(home) != flows || len(used) < 2 {
		t.Fatalf("%d flows on %d queues", len(home), len(used))
	}
}

func dialFrom(t *testing.T, port int) *net.UDPConn {
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 9, 0, 1), Port: port}, &net.UDPAddr{IP: net.IPv4(10, 9, 0, 2), Port: 9})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNoCallAllocates(t *testing.T) {
	d := raised(t, Config{})
	q, desk, c := d.Queues()[0], newDesk(), dial(t, "10.9.0.2:9")
	say := []byte("x")
	runs := []offload.Run{{Layout: unsummed, Parts: [][]byte{datagram(9, say)}}}
	c.Write(say)
	desk.udp(t, q, 1)
	if n := testing.AllocsPerRun(100, func() {
		c.Write(say)
		if _, err := q.Read(desk.buf, desk.supers); err != nil {
			t.Fatal(err)
		}
		if err := q.Write(runs); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a packet read and written", n)
	}
}
