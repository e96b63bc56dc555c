package lab_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

func TestARenumberedSiteAppearsElsewhere(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	servers := newServers(t, l)
	s := l.Site("home", "port+hairpin")
	c := newSocket(t, s.Host("a"), netip.MustParseAddrPort("0.0.0.0:40000"))
	before := servers.mapped(c, 0)
	s.Renumber()
	if servers.send(0, before); c.receives() {
		t.Error("the old address still leads there")
	}
	after := servers.mapped(c, 0)
	if after.Addr() != netip.MustParseAddr("198.51.100.121") {
		t.Errorf("first it was %v, then %v", before, after)
	}
	s.Renumber()
	if again := servers.mapped(c, 0); again.Addr() != before.Addr() {
		t.Errorf("back again it is %v, not %v", again, before.Addr())
	}
}

// A conversation that goes on must not teach the new tables what the old ones knew.
func TestATalkingHostIsRenumberedToo(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	servers := newServers(t, l)
	s := l.Site("home", "port")
	c := newSocket(t, s.Host("a"), netip.MustParseAddrPort("0.0.0.0:40000"))
	servers.mapped(c, 0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				c.WriteToUDPAddrPort([]byte("still there"), servers.sockets[0].at)
			}
		}
	}()
	for range 5 { // an odd number: from the first address to the second
		s.Renumber()
	}
	close(stop)
	<-stopped
	for servers.sockets[0].receives() { // what was under way
	}
	if seen := servers.mapped(c, 0).Addr(); seen != netip.MustParseAddr("198.51.100.121") {
		t.Errorf("it appears as %v", seen)
	}
}

func TestARebootedRouterHasForgotten(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	servers := newServers(t, l)
	s := l.Site("home", "sym+v6")
	a := s.Host("a")
	c := newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40000"))
	before := servers.mapped(c, 0)
	s.Reboot(10 * time.Millisecond)
	if servers.send(0, before); c.receives() {
		t.Error("a mapping outlived it")
	}
	if after := servers.mapped(c, 0); !after.IsValid() || after == before {
		t.Errorf("before %v, after %v", before, after)
	}
	if err := hello(a, l.Host("s1"), l.Host("s1").Addr6().String()); err != nil {
		t.Errorf("IPv6 has not come back: %v", err)
	}
}

func TestAHostRoamsAndComesBack(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	servers := newServers(t, l)
	home, phone := l.Site("home", "port+v6"), l.Site("phone", "sym")
	a := home.Host("a")
	c := newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40000"))
	at := func() string { return servers.mapped(c, 0).Addr().String() }
	one := at()
	a.Roam(phone)
	two := at()
	a.Roam(home)
	three := at()
	if one != "198.51.100.1" || two != "198.51.100.2" || three != one {
		t.Errorf("it appeared as %s, %s, %s", one, two, three)
	}
	if err := hello(a, l.Host("s1"), l.Host("s1").Addr6().String()); err != nil {
		t.Errorf("IPv6 has not come back: %v", err)
	}
}

func TestARouterOpensPortsOnRequest(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	servers := newServers(t, l)
	s := l.Site("home", "sym+pm")
	a := s.Host("a")
	c := newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40000"))
	want := netip.MustParseAddrPort("198.51.100.1:40000")
	for name, ask := range map[string]func(*testing.T, *lab.Host, uint16, uint32) netip.AddrPort{"PCP": askPCP, "NAT-PMP": askPMP} {
		if got := ask(t, a, 40000, 60); got != want {
			t.Fatalf("%s: it opened %v, want %v", name, got, want)
		}
		if servers.send(1, want); !c.receive(patience).IsValid() {
			t.Errorf("%s: a stranger does not come in", name)
		}
		ask(t, a, 40000, 0)
		if servers.send(2, want); c.receives() {
			t.Errorf("%s: a stranger comes in after the port was closed", name)
		}
	}
	askPMP(t, a, 40000, 60)
	s.Reboot(0)
	if servers.send(1, want); c.receives() {
		t.Error("an open port outlived a reboot")
	}
}

func TestARouterOpensPinholesOnRequest(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	s := l.Site("home", "port+v6+pm")
	a, server := s.Host("a"), l.Public("s")
	const port = 40000
	inside := netip.AddrPortFrom(a.Addr6(), port)
	c := newSocket(t, a, inside)
	comes := func(within time.Duration) bool { // from a stranger, another one each time
		if err := server.Do(func() error {
			out, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(inside))
			if err == nil {
				defer out.Close()
				_, err = out.Write([]byte("hello"))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return c.receive(within).IsValid()
	}
	ask := func(life uint32) {
		q := binary.BigEndian.AppendUint32([]byte{2, 1, 0, 0}, life)
		own := a.Addr6().As16()
		q = append(append(q, own[:]...), make([]byte, 36)...)
		q[36] = 17
		binary.BigEndian.PutUint16(q[40:], port)
		r := askAt(t, a, "[2001:db8:1::1]:5351", q)
		if len(r) != 60 || r[1] != 129 || r[3] != 0 || [16]byte(r[44:60]) != own || binary.BigEndian.Uint16(r[42:]) != port {
			t.Fatalf("answer %x", r)
		}
	}
	if err := hello(a, server, server.Addr6().String()); err != nil { // else what waits for a neighbour's address would come late
		t.Fatal(err)
	}
	if comes(silence) {
		t.Fatal("a stranger comes in before anybody has asked")
	}
	if ask(60); !comes(patience) {
		t.Error("a stranger does not come in")
	}
	if ask(0); comes(silence) {
		t.Error("a stranger comes in after the pinhole was closed")
	}
	ask(60)
	s.Forget()
	if comes(silence) {
		t.Error("a pinhole outlived a restart")
	}
}

func TestAHomeBehindACarrierForgets(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	servers := newServers(t, l)
	home := l.Site("carrier", "port+rand").Site("home", "port")
	c := newSocket(t, home.Host("a"), netip.MustParseAddrPort("0.0.0.0:40000"))
	servers.mapped(c, 0)
	for i := range 3 {
		home.Forget()
		if out, err := home.Router().Run(t.Context(), "ip", "route"); err == nil && !strings.Contains(out, "default via 192.0.2.2 ") {
			t.Errorf("the home router's gateway is the internet's, too:\n%s", out)
		}
		if m := servers.mapped(c, 0); !m.IsValid() {
			t.Fatalf("nothing passes after the router forgot for time %d", i+1)
		}
	}
}

// ask sends one question to the router's port mapping service, and returns its answer.
func ask(t *testing.T, h *lab.Host, question []byte) []byte {
	t.Helper()
	return askAt(t, h, "192.168.1.1:5351", question)
}

func askAt(t *testing.T, h *lab.Host, router string, question []byte) []byte {
	t.Helper()
	answer := make([]byte, 1100)
	err := h.Do(func() error {
		c, err := net.Dial("udp", router)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write(question); err != nil {
			return err
		}
		n, err := c.Read(answer)
		answer = answer[:n]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func askPMP(t *testing.T, h *lab.Host, port uint16, life uint32) netip.AddrPort {
	q := binary.BigEndian.AppendUint16([]byte{0, 1, 0, 0}, port)
	q = binary.BigEndian.AppendUint16(q, port)
	a := ask(t, h, binary.BigEndian.AppendUint32(q, life))
	outside := ask(t, h, []byte{0, 0})
	if len(a) != 16 || a[1] != 129 || a[3] != 0 || len(outside) != 12 {
		t.Fatalf("answers %x, %x", a, outside)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(outside[8:])), binary.BigEndian.Uint16(a[10:]))
}

func askPCP(t *testing.T, h *lab.Host, port uint16, life uint32) netip.AddrPort {
	q := binary.BigEndian.AppendUint32([]byte{2, 1, 0, 0}, life)
	own := h.Addr().As16()
	q = append(append(q, own[:]...), make([]byte, 36)...)
	q[36] = 17
	binary.BigEndian.PutUint16(q[40:], port)
	binary.BigEndian.PutUint16(q[42:], port)
	a := ask(t, h, q)
	if len(a) != 60 || a[1] != 129 || a[3] != 0 {
		t.Fatalf("answer %x", a)
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[44:60])).Unmap(), binary.BigEndian.Uint16(a[42:]))
}
