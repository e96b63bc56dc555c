package sock

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func openers() []opener {
	return []opener{
		{"dual-stack", Open, true},
		{"IPv4 only", open4, false},
		{"no offload", openBare, true},
		{"one at a time", openPlain, true},
	}
}

// open4 opens a socket as on a kernel without IPv6.
func open4(c Config) (Socket, error) {
	u, err := open(c, func(family, kind, protocol int) (int, error) {
		if family == unix.AF_INET6 {
			return 0, unix.EAFNOSUPPORT
		}
		return unix.Socket(family, kind, protocol)
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// openBare opens a socket as on a kernel without segmentation offload.
func openBare(c Config) (Socket, error) {
	u, err := open(c, unix.Socket)
	if err != nil {
		return nil, err
	}
	u.gso.Store(false)
	u.gro.Store(false)
	u.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 0) })
	return u, err
}

func TestATrainStaysATrain(t *testing.T) {
	for _, at := range []netip.Addr{loopback, loopback6} {
		a, b := mustOpen(t, Open, Config{}), mustOpen(t, Open, Config{})
		if !a.Stats().SendGSO || !b.Stats().ReceiveGRO {
			t.Skipf("the kernel has no segmentation offload: %+v", a.Stats())
		}
		train := Train{Data: pattern(43*1400 + 9), Segment: 1400, Remote: netip.AddrPortFrom(at, b.Port())}
		if err := a.Send([]Train{train}); err != nil {
			t.Fatal(err)
		}
		trains := buffers(Batch, MaxTrain)
		n, err := b.Receive(trains)
		if err != nil || n != 1 || trains[0].Segment != 1400 || len(trains[0].Data) != len(train.Data) || trains[0].Datagrams() != 44 {
			t.Errorf("%v: %d trains, %v; the first of %d bytes, segment %d", at, n, err, len(trains[0].Data), trains[0].Segment)
		}
	}
}

// To a socket that has only room for messages, packets lose nothing when they come as a train; once it has room it gets the train.
func TestASocketAloneLosesNothingOfATrain(t *testing.T) {
	a, b := mustOpen(t, Open, Config{}), mustOpen(t, Open, Config{Alone: true})
	train := Train{Data: pattern(9*1400 + 100), Segment: 1400, Remote: netip.AddrPortFrom(loopback, b.Port())}
	send := func() {
		if err := a.Send([]Train{train}); err != nil {
			t.Fatal(err)
		}
	}
	send()
	var came [][]byte
	for len(came) < 10 {
		trains := buffers(1, 2048)
		if n, err := b.Receive(trains); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		came = append(came, datagrams(trains...)...)
	}
	compare(t, came, datagrams(train))
	b.(Joiner).Join()
	if !a.Stats().SendGSO || !b.Stats().ReceiveGRO {
		t.Skip("the kernel has no segmentation offload")
	}
	send()
	trains := buffers(1, MaxTrain)
	if n, err := b.Receive(trains); n != 1 || err != nil || trains[0].Datagrams() != 10 {
		t.Errorf("%d trains of %d datagrams, %v", n, trains[0].Datagrams(), err)
	}
}

// A train that is longer than the buffer loses its end, but no datagram is cut.
func TestALongTrainInAShortBuffer(t *testing.T) {
	a, b := mustOpen(t, Open, Config{}), mustOpen(t, Open, Config{})
	train := Train{Data: pattern(10 * 1400), Segment: 1400, Remote: netip.AddrPortFrom(loopback, b.Port())}
	if err := a.Send([]Train{train}); err != nil {
		t.Fatal(err)
	}
	trains := buffers(1, 5000)
	if n, err := b.Receive(trains); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	compare(t, datagrams(trains...), datagrams(train)[:3])
	if st := b.Stats(); st.Truncated != 1 {
		t.Errorf("%+v", st)
	}
}

func TestRepliesLeaveFromTheAddressThatWasReached(t *testing.T) {
	for _, o := range openers()[:3] {
		s := mustOpen(t, o.open, Config{})
		for _, at := range []string{"127.0.0.2", "127.0.0.3", "::1"} {
			at := netip.MustParseAddr(at)
			if at.Is6() && !o.ipv6 {
				continue
			}
			c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, s.Port())))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte("ping"))
			got := receive(t, s, 1)
			if got[0].Local != at {
				t.Errorf("%s: reached at %v, want %v", o.name, got[0].Local, at)
			}
			if err := s.Send(got); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(time.Minute))
			b := make([]byte, 100)
			if n, err := c.Read(b); err != nil || string(b[:n]) != "ping" { // connected: from elsewhere it would not be read
				t.Errorf("%s, %v: %v; %+v", o.name, at, err, s.Stats())
			}
		}
		dropped(t, s)
	}
}

func TestBuffersExceedTheSystemsLimitByForce(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root (CAP_NET_ADMIN)")
	}
	const large = 64 << 20
	if st := mustOpen(t, Open, Config{Buffer: large}).Stats(); st.ReceiveBuffer != 2*large || st.SendBuffer != 2*large {
		t.Errorf("%+v", st)
	}
}

func TestOverflowIsCounted(t *testing.T) {
	a, b := mustOpen(t, Open, Config{}), mustOpen(t, Open, Config{Buffer: 10_000})
	to := netip.AddrPortFrom(loopback, b.Port())
	for range 40 {
		if err := a.Send([]Train{{Data: pattern(1000), Remote: to}}); err != nil {
			t.Fatal(err)
		}
	}
	lost := b.Stats().Overflow
	if lost == 0 || lost >= 40 {
		t.Fatalf("%+v", b.Stats())
	}
	b.Close()
	if b.Stats().Overflow != lost {
		t.Errorf("after closing: %+v", b.Stats())
	}
}

func TestAnIPv6PeerOfAMachineWithoutIPv6IsUnreachable(t *testing.T) {
	s := mustOpen(t, open4, Config{})
	if err := s.Send([]Train{{Data: pattern(30), Segment: 10, Remote: netip.AddrPortFrom(loopback6, 9)}}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Unreachable != 3 {
		t.Errorf("%+v", st)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, o := range openers() {
		a, b := mustOpen(t, o.open, Config{}), mustOpen(t, o.open, Config{})
		out := []Train{
			{Data: pattern(4 * 1000), Segment: 1000, Remote: netip.AddrPortFrom(loopback, b.Port()), Local: loopback},
			{Data: pattern(100), Remote: netip.AddrPortFrom(loopback, b.Port())},
		}
		in := buffers(Batch, MaxTrain)
		if n := testing.AllocsPerRun(200, func() {
			a.Send(out)
			for left := 5; left > 0; {
				n, err := b.Receive(in)
				if err != nil {
					t.Fatal(err)
				}
				for i := range in[:n] {
					left -= in[i].Datagrams()
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", o.name, n)
		}
	}
}
