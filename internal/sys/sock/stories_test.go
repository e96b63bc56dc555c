package sock

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// opener is one kind of socket that the stories are told of. See openers.
type opener struct {
	name string
	open func(Config) (Socket, error)
	ipv6 bool
}

var (
	loopback  = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
)

// everyKind tells a story of the twin as well.
func everyKind(t *testing.T, story func(t *testing.T, o opener, at netip.Addr)) {
	n := NewNetwork(func(_, _ netip.AddrPort) []time.Duration { return []time.Duration{0} })
	twin := opener{"twin", func(c Config) (Socket, error) { return n.Open(c, loopback, loopback6) }, true}
	tell(t, append(openers(), twin), story)
}

// everySystemKind tells a story of every kind of socket that this system has.
func everySystemKind(t *testing.T, story func(t *testing.T, o opener, at netip.Addr)) {
	tell(t, openers(), story)
}

// tell tells a story for each family.
func tell(t *testing.T, of []opener, story func(t *testing.T, o opener, at netip.Addr)) {
	for _, o := range of {
		t.Run(o.name, func(t *testing.T) {
			t.Run("IPv4", func(t *testing.T) { story(t, o, loopback) })
			if o.ipv6 {
				t.Run("IPv6", func(t *testing.T) { story(t, o, loopback6) })
			}
		})
	}
}

// mustOpen opens a socket for the test. A story that waits for what never comes fails instead of hanging.
func mustOpen(t testing.TB, open func(Config) (Socket, error), c Config) Socket {
	t.Helper()
	s, err := open(c)
	if err != nil {
		t.Fatal(err)
	}
	enough := time.AfterFunc(time.Minute, func() { s.Close() })
	t.Cleanup(func() { enough.Stop(); s.Close() })
	return s
}

// buffers makes n trains to receive into.
func buffers(n, size int) []Train {
	trains := make([]Train, n)
	for i := range trains {
		trains[i].Data = make([]byte, size)
	}
	return trains
}

// pattern is data in which every part differs from every other.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 ^ i>>8*13 ^ i>>16)
	}
	return b
}

// datagrams cuts trains as the wire does.
func datagrams(trains ...Train) (all [][]byte) {
	for _, t := range trains {
		for rest := t.Data; len(rest) > 0; {
			n := len(rest)
			if t.Segment > 0 {
				n = min(n, t.Segment)
			}
			all, rest = append(all, bytes.Clone(rest[:n])), rest[n:]
		}
	}
	return all
}

// receive collects trains until they hold n datagrams.
func receive(t *testing.T, s Socket, n int) (all []Train) {
	t.Helper()
	for got := 0; got < n; {
		trains := buffers(4, MaxTrain)
		k, err := s.Receive(trains)
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v; %+v", got, n, err, s.Stats())
		}
		for _, train := range trains[:k] {
			got += train.Datagrams()
			all = append(all, train)
		}
	}
	return all
}

// dropped fails if the socket has dropped anything.
func dropped(t *testing.T, s Socket) {
	t.Helper()
	st := s.Stats()
	if st.NoBuffer+st.TooBig+st.Unreachable+st.Refused+st.Overflow+st.Truncated != 0 {
		t.Errorf("dropped: %+v", st)
	}
}

func TestTrainsArriveAsTheyWereSent(t *testing.T) {
	everyKind(t, func(t *testing.T, o opener, at netip.Addr) {
		a, b := mustOpen(t, o.open, Config{}), mustOpen(t, o.open, Config{})
		to := netip.AddrPortFrom(at, b.Port())
		for _, train := range []Train{
			{Data: pattern(1)},
			{Data: pattern(1400), Segment: 1400},
			{Data: pattern(1400), Segment: 9000},
			{Data: pattern(44 * 1400), Segment: 1400},
			{Data: pattern(7*1400 + 1), Segment: 1400},
			{Data: pattern(MaxTrain)},
			{Data: pattern(200 * 128), Segment: 128},           // more segments than the kernel takes
			{Data: pattern(3*MaxTrain + 5), Segment: 1400},     // more bytes
			{Data: pattern(5 * MaxTrain), Segment: 60000},      // of which no two fit
			{Data: pattern(MaxSegments*1 + 1), Segment: 1},     // ends with one alone
			{Data: pattern(MaxSegments*100 + 7), Segment: 100}, // or with less than one
		} {
			train.Remote = to
			want := datagrams(train)
			if err := a.Send([]Train{train}); err != nil {
				t.Fatal(err)
			}
			got := receive(t, b, len(want))
			compare(t, datagrams(got...), want)
			for _, g := range got {
				if g.Remote != netip.AddrPortFrom(at, a.Port()) || g.Segment <= 0 || g.Segment > len(g.Data) || g.Remote.Addr().Is4In6() {
					t.Fatalf("from %v, segment %d of %d bytes", g.Remote, g.Segment, len(g.Data))
				}
				if g.Local.IsValid() && g.Local != at {
					t.Fatalf("reached at %v", g.Local)
				}
			}
		}
		dropped(t, a)
		dropped(t, b)
	})
}

func compare(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d datagrams, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("datagram %d of %d: %d bytes, want %d", i, len(want), len(got[i]), len(want[i]))
		}
	}
}

// More trains than one call takes, of all sizes and to both families, arrive in order.
func TestManyTrainsInOneSend(t *testing.T) {
	everyKind(t, func(t *testing.T, o opener, at netip.Addr) {
		a, b := mustOpen(t, o.open, Config{}), mustOpen(t, o.open, Config{})
		trains := make([]Train, 3*Batch+1)
		for i := range trains {
			trains[i] = Train{Data: pattern(1 + i*40), Segment: 500, Remote: netip.AddrPortFrom(at, b.Port())}
		}
		want := datagrams(trains...)
		if err := a.Send(trains); err != nil {
			t.Fatal(err)
		}
		compare(t, datagrams(receive(t, b, len(want))...), want)
	})
}

func TestManySendersAtOnce(t *testing.T) {
	everyKind(t, func(t *testing.T, o opener, at netip.Addr) {
		const senders, sends = 8, 20
		a, b := mustOpen(t, o.open, Config{}), mustOpen(t, o.open, Config{})
		var all sync.WaitGroup
		for i := range senders {
			all.Go(func() {
				for range sends {
					data := bytes.Repeat([]byte{byte(i)}, 10*500)
					if err := a.Send([]Train{{Data: data, Segment: 500, Remote: netip.AddrPortFrom(at, b.Port())}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		counts := make([]int, senders)
		for _, d := range datagrams(receive(t, b, senders*sends*10)...) {
			if counts[d[0]]++; !bytes.Equal(d, bytes.Repeat(d[:1], 500)) {
				t.Fatal("datagrams of two senders are mixed")
			}
		}
		all.Wait()
		for i, n := range counts {
			if n != sends*10 {
				t.Errorf("%d datagrams of sender %d, want %d", n, i, sends*10)
			}
		}
	})
}

// Datagrams of no bytes are neither sent nor delivered, and no buffer is lost over one.
func TestDatagramsOfNoBytesArePassedOver(t *testing.T) {
	everySystemKind(t, func(t *testing.T, o opener, at netip.Addr) {
		s := mustOpen(t, o.open, Config{})
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, s.Port())))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, word := range []string{"", "one", "", "", "two", "three", ""} {
			if _, err := c.Write([]byte(word)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Send([]Train{{Remote: c.LocalAddr().(*net.UDPAddr).AddrPort()}}); err != nil {
			t.Fatal(err)
		}
		trains := buffers(8, 100)
		mine := map[*byte]bool{}
		for _, train := range trains {
			mine[&train.Data[0]] = true
		}
		var words []string
		for len(words) < 3 {
			n, err := s.Receive(trains)
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			for _, train := range trains[:n] {
				words = append(words, string(train.Data))
			}
			for i := range trains {
				trains[i].Data = trains[i].Data[:cap(trains[i].Data)]
			}
		}
		if words[0] != "one" || words[1] != "two" || words[2] != "three" {
			t.Errorf("received %q", words)
		}
		for _, train := range trains {
			if first := &train.Data[0]; !mine[first] || len(train.Data) != 100 {
				t.Error("a buffer is lost")
			} else {
				delete(mine, first)
			}
		}
	})
}

func TestWhatDoesNotFitIsCounted(t *testing.T) {
	everyKind(t, func(t *testing.T, o opener, at netip.Addr) {
		a, b := mustOpen(t, o.open, Config{}), mustOpen(t, o.open, Config{})
		to := netip.AddrPortFrom(at, b.Port())
		if err := a.Send([]Train{{Data: pattern(1000), Remote: to}, {Data: []byte("short"), Remote: to}}); err != nil {
			t.Fatal(err)
		}
		trains := buffers(1, 100)
		if n, err := b.Receive(trains); n != 1 || err != nil || string(trains[0].Data) != "short" {
			t.Errorf("%d trains, %v: %q", n, err, trains[0].Data)
		}
		if st := b.Stats(); st.Truncated != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestWhatCannotBeSentStopsNothing(t *testing.T) {
	everyKind(t, func(t *testing.T, o opener, at netip.Addr) {
		a, b := mustOpen(t, o.open, Config{}), mustOpen(t, o.open, Config{})
		to := netip.AddrPortFrom(at, b.Port())
		if err := a.Send([]Train{
			{Data: []byte("no address")},
			{Data: []byte("one"), Remote: to},
			{Data: pattern(12), Segment: 5, Remote: netip.AddrPortFrom(at, 0)},
			{Data: pattern(MaxTrain + 1000), Remote: to},
			{Data: []byte("two"), Remote: to},
		}); err != nil {
			t.Fatal(err)
		}
		got := datagrams(receive(t, b, 2)...)
		compare(t, got, [][]byte{[]byte("one"), []byte("two")})
		if st := a.Stats(); st.Refused != 4 || st.TooBig != 1 || st.NoBuffer+st.Unreachable != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestClosingEndsReceive(t *testing.T) {
	everyKind(t, func(t *testing.T, o opener, at netip.Addr) {
		s := mustOpen(t, o.open, Config{})
		ended := make(chan error)
		go func() {
			_, err := s.Receive(buffers(1, 100))
			ended <- err
		}()
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-ended; err != net.ErrClosed {
			t.Error(err)
		}
		if _, err := s.Receive(buffers(1, 100)); err != net.ErrClosed {
			t.Error(err)
		}
		if err := s.Send([]Train{{Data: []byte("late"), Remote: netip.AddrPortFrom(at, 9)}}); err != net.ErrClosed {
			t.Error(err)
		}
		if st := s.Stats(); st.Refused != 0 || st.ReceiveBuffer == 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestATakenPortIsToldApart(t *testing.T) {
	everySystemKind(t, func(t *testing.T, o opener, at netip.Addr) {
		family := "udp4"
		if at.Is6() {
			family = "udp6"
		}
		other, err := net.ListenUDP(family, &net.UDPAddr{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		port := other.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		if s, err := o.open(Config{Port: port}); !errors.Is(err, ErrPortTaken) || s != nil {
			t.Fatalf("%v, %v", s, err)
		}
		other.Close()
		if s := mustOpen(t, o.open, Config{Port: port}); s.Port() != port {
			t.Errorf("port %d, want %d", s.Port(), port)
		}
	})
}

func TestBuffersAreAskedFor(t *testing.T) {
	for _, o := range openers() {
		t.Run(o.name, func(t *testing.T) {
			small, usual := mustOpen(t, o.open, Config{Buffer: 100_000}).Stats(), mustOpen(t, o.open, Config{}).Stats()
			if small.ReceiveBuffer < 100_000 || small.SendBuffer < 100_000 {
				t.Errorf("%+v", small)
			}
			if usual.ReceiveBuffer <= small.ReceiveBuffer || usual.SendBuffer <= small.SendBuffer {
				t.Errorf("%+v, and after 100,000 bytes %+v", usual, small)
			}
			for _, wrong := range []int{-1, 1<<30 + 1} {
				if _, err := o.open(Config{Buffer: wrong}); err == nil {
					t.Errorf("a buffer of %d bytes", wrong)
				}
			}
		})
	}
}
