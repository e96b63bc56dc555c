package netsim

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/sim/natmodel"
)

var (
	server  = netip.MustParseAddr("203.0.113.1")
	outside = netip.MustParseAddr("198.51.100.1")
	carrier = netip.MustParseAddr("198.51.100.2")
	insideA = netip.MustParseAddr("192.168.1.2")
	insideB = netip.MustParseAddr("192.168.2.2")
)

func kind(t *testing.T, name string) natmodel.Config {
	t.Helper()
	c, err := natmodel.Kind(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t *testing.T, h *Host, port uint16) net.PacketConn {
	t.Helper()
	c, err := h.ListenPacket(port)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func send(c net.PacketConn, to netip.AddrPort) {
	c.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(to))
}

// hear returns who is heard within a second; the zero AddrPort: nobody.
func hear(c net.PacketConn) netip.AddrPort {
	c.SetReadDeadline(time.Now().Add(time.Second))
	_, from, err := c.ReadFrom(make([]byte, 10))
	if err != nil {
		return netip.AddrPort{}
	}
	return from.(*net.UDPAddr).AddrPort()
}

func TestDatagramsCrossARouterAsItsKindSays(t *testing.T) {
	for name, strangers := range map[string]bool{"none": true, "fullcone": true, "fw": false, "port": false, "sym": false} {
		synctest.Test(t, func(t *testing.T) {
			n := New(1)
			n.Weather(Conditions{Latency: 10 * time.Millisecond})
			a := open(t, n.NAT(outside, kind(t, name)).Host(insideA), 5000)
			s, other := open(t, n.Host(server), 80), open(t, n.Host(server), 81)
			send(a, netip.AddrPortFrom(server, 80))
			seen := hear(s)
			if name != "none" && name != "fw" && seen.Addr() != outside || !seen.IsValid() {
				t.Errorf("%s: the server hears %v", name, seen)
			}
			send(s, seen)
			if from := hear(a); from != netip.AddrPortFrom(server, 80) {
				t.Errorf("%s: the answer comes from %v", name, from)
			}
			send(other, seen)
			if got := hear(a).IsValid(); got != strangers {
				t.Errorf("%s: a stranger comes in: %v", name, got)
			}
		})
	}
}

func TestNobodySpeaksToAPrivateAddressFromOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		a := open(t, n.NAT(outside, kind(t, "fullcone")).Host(insideA), 5000)
		b := open(t, n.NAT(carrier, kind(t, "fullcone")).Host(insideB), 5000)
		send(open(t, n.Host(server), 80), netip.AddrPortFrom(insideA, 5000))
		send(b, netip.AddrPortFrom(insideA, 5000))
		if from := hear(a); from.IsValid() {
			t.Errorf("%v came in", from)
		}
	})
}

func TestHairpinsTurnRoundWhereTheyAreAllowed(t *testing.T) {
	for name, turns := range map[string]bool{"port": false, "port+hairpin": true} {
		synctest.Test(t, func(t *testing.T) {
			n := New(1)
			top := n.NAT(carrier, kind(t, name))
			a := open(t, top.NAT(netip.MustParseAddr("100.64.0.1"), kind(t, "port")).Host(insideA), 5000)
			b := open(t, top.NAT(netip.MustParseAddr("100.64.0.2"), kind(t, "port")).Host(insideB), 5001)
			s := open(t, n.Host(server), 80)
			send(a, netip.AddrPortFrom(server, 80))
			seenA := hear(s)
			send(b, netip.AddrPortFrom(server, 80))
			seenB := hear(s)
			if seenA.Addr() != carrier || seenB.Addr() != carrier {
				t.Fatalf("the server hears %v and %v", seenA, seenB)
			}
			send(a, seenB)
			send(b, seenA)
			if got := hear(a).IsValid() || hear(b).IsValid(); got != turns {
				t.Errorf("%s: they meet: %v", name, got)
			}
		})
	}
}

func TestStreamsGetOutAndNotIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		n.Weather(Conditions{Latency: 10 * time.Millisecond})
		r := n.NAT(outside, kind(t, "noudp"))
		a, s := r.Host(insideA), n.Host(server)
		l, err := s.Listen(443)
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.Dial(t.Context(), netip.AddrPortFrom(server, 443))
		if err != nil {
			t.Fatal(err)
		}
		in, err := l.Accept()
		if err != nil || in.RemoteAddr().(*net.TCPAddr).AddrPort().Addr() != outside {
			t.Fatalf("it comes from %v, %v", in.RemoteAddr(), err)
		}
		c.Write([]byte("hello"))
		b := make([]byte, 5)
		if _, err := io.ReadFull(in, b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
		a.Listen(22)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, to := range []netip.Addr{insideA, outside} {
			if _, err := s.Dial(ctx, netip.AddrPortFrom(to, 22)); err == nil {
				t.Errorf("a stream came in by %v", to)
			}
		}
		r.Reboot()
		if _, err := c.Read(b); err == nil {
			t.Error("a stream outlived the router's table")
		}
		if _, err := in.Read(b); err == nil {
			t.Error("its other end lives on")
		}
	})
}

func TestARenumberedRouterAppearsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(1)
		r := n.NAT(outside, kind(t, "port"))
		a, s := open(t, r.Host(insideA), 5000), open(t, n.Host(server), 80)
		send(a, netip.AddrPortFrom(server, 80))
		before := hear(s)
		r.Renumber(carrier)
		send(s, before)
		if hear(a).IsValid() {
			t.Error("the old address still leads there")
		}
		send(a, netip.AddrPortFrom(server, 80))
		if after := hear(s); after.Addr() != carrier {
			t.Errorf("before it was %v, then %v", before, after)
		}
	})
}
