package sock

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var (
	home   = netip.MustParseAddr("198.51.100.1")
	home6  = netip.MustParseAddr("2001:db8::1")
	office = netip.MustParseAddr("203.0.113.1")
	cafe   = netip.MustParseAddr("192.0.2.77")
)

// world is a bubble's network, whose Carry can be changed.
type world struct {
	t     *testing.T
	n     *Network
	carry Carry
}

// inWorld tells a story in virtual time, on a network that takes 10 ms.
func inWorld(t *testing.T, story func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, carry: takes(10 * time.Millisecond)}
		w.n = NewNetwork(func(from, to netip.AddrPort) []time.Duration { return w.carry(from, to) })
		story(w)
	})
}

func takes(each ...time.Duration) Carry {
	return func(_, _ netip.AddrPort) []time.Duration { return each }
}

func (w *world) open(c Config, addrs ...netip.Addr) *Memory {
	w.t.Helper()
	m, err := w.n.Open(c, addrs...)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) send(m *Memory, to *Memory, at netip.Addr, trains ...Train) {
	w.t.Helper()
	for i := range trains {
		trains[i].Remote = netip.AddrPortFrom(at, to.Port())
	}
	if err := m.Send(trains); err != nil {
		w.t.Fatal(err)
	}
}

// waiting is what has come when everything that was sent has landed.
func (w *world) waiting(m *Memory) []Train {
	time.Sleep(time.Minute)
	trains := buffers(Batch, MaxTrain)
	return trains[:m.collect(trains)]
}

func words(trains []Train) (all []string) {
	for _, d := range datagrams(trains...) {
		all = append(all, string(d))
	}
	return all
}

func TestATrainTakesItsTime(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.open(Config{}, home), w.open(Config{}, office, home6)
		train := Train{Data: pattern(43*1400 + 9), Segment: 1400}
		from := time.Now()
		w.send(a, b, office, train)
		trains := buffers(Batch, MaxTrain)
		n, err := b.Receive(trains)
		if n != 1 || err != nil || time.Since(from) != 10*time.Millisecond {
			t.Fatalf("%d trains, %v, after %v", n, err, time.Since(from))
		}
		compare(t, datagrams(trains[0]), datagrams(train))
		if got := trains[0]; got.Segment != 1400 || got.Remote != netip.AddrPortFrom(home, a.Port()) || got.Local != office {
			t.Errorf("%d, %v, %v", got.Segment, got.Remote, got.Local)
		}
	})
}

func TestOnlyWhatContinuesIsJoined(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b, z := w.open(Config{}, home), w.open(Config{}, cafe), w.open(Config{}, office, home6)
		w.send(a, z, office, Train{Data: pattern(100)}, Train{Data: pattern(100)}, Train{Data: pattern(50)}) // 100 100 50
		w.send(a, z, office, Train{Data: pattern(50)}, Train{Data: pattern(60)})                             // 50, 60
		w.send(b, z, office, Train{Data: pattern(60)})
		w.send(a, z, office, Train{Data: pattern((MaxSegments + 1) * 10), Segment: 10})
		var got []int
		for _, train := range w.waiting(z) {
			got = append(got, len(train.Data))
		}
		if want := []int{250, 50, 60, 60, 640, 10}; !slices.Equal(got, want) {
			t.Errorf("trains of %v bytes, want %v", got, want)
		}
	})
}

func TestDatagramsAreLostDoubledAndOvertaken(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.open(Config{}, home), w.open(Config{}, office)
		ms := time.Millisecond
		fates := [][]time.Duration{{3 * ms}, {}, {ms, 4 * ms}, {2 * ms}}
		w.carry = func(from, to netip.AddrPort) []time.Duration {
			if from != netip.AddrPortFrom(home, a.Port()) || to != netip.AddrPortFrom(office, b.Port()) {
				t.Error(from, to)
			}
			fate := fates[0]
			fates = fates[1:]
			return fate
		}
		w.send(a, b, office, Train{Data: []byte("onetwothr4"), Segment: 3})
		if got := words(w.waiting(b)); !slices.Equal(got, []string{"thr", "4", "one", "thr"}) {
			t.Errorf("%q", got)
		}
		dropped(t, b)
	})
}

func TestAMachineMoves(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.open(Config{}, home), w.open(Config{}, office)
		w.open(Config{Port: DefaultPort}, cafe)
		w.send(a, b, office, Train{Data: []byte("too late")})
		if err := b.Move(home6, netip.MustParseAddr("192.0.2.78")); err != nil {
			t.Fatal(err)
		}
		w.send(a, b, office, Train{Data: []byte("to where it was")})
		w.send(a, b, netip.MustParseAddr("192.0.2.78"), Train{Data: []byte("hello")})
		if got := words(w.waiting(b)); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("%q", got)
		}
		w.send(b, a, home, Train{Data: []byte("from afar"), Local: office})
		if got := w.waiting(a); len(got) != 1 || got[0].Remote != netip.AddrPortFrom(netip.MustParseAddr("192.0.2.78"), b.Port()) {
			t.Errorf("%+v", got)
		}
		if err := b.Move(cafe); !errors.Is(err, ErrPortTaken) {
			t.Error(err)
		}
		if err := b.Move(); err != nil { // no network at all
			t.Error(err)
		}
		w.send(b, a, home, Train{Data: pattern(3), Segment: 1})
		if st := b.Stats(); st.Unreachable != 3 || len(w.waiting(a)) != 0 {
			t.Errorf("%+v", st)
		}
		b.Close()
		if err := b.Move(office); err != net.ErrClosed {
			t.Error(err)
		}
	})
}

func TestTheSourceIsOfTheRemotesFamilyAndOurs(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.open(Config{}, home, cafe, home6)
		z := w.open(Config{}, office, netip.MustParseAddr("2001:db8::2"))
		for _, c := range []struct{ to, local, want netip.Addr }{
			{office, netip.Addr{}, home},
			{office, cafe, cafe},
			{office, home6, home},
			{office, office, home},
			{netip.MustParseAddr("2001:db8::2"), cafe, home6},
		} {
			w.send(a, z, c.to, Train{Data: []byte("x"), Local: c.local})
			if got := w.waiting(z); len(got) != 1 || got[0].Remote.Addr() != c.want || got[0].Local != c.to {
				t.Errorf("%v from %v: %+v", c.to, c.local, got)
			}
		}
	})
}

func TestPortsAreTakenInTurn(t *testing.T) {
	inWorld(t, func(w *world) {
		first, second := w.open(Config{}, home, office), w.open(Config{}, office)
		elsewhere := w.open(Config{}, cafe)
		if first.Port() != DefaultPort || second.Port() != DefaultPort+1 || elsewhere.Port() != DefaultPort {
			t.Error(first.Port(), second.Port(), elsewhere.Port())
		}
		for _, c := range []Config{{Port: DefaultPort}, {Port: DefaultPort, Shared: true}, {Buffer: -1}} {
			m, err := w.n.Open(c, home)
			if m != nil || err == nil || errors.Is(err, ErrPortTaken) != (c == Config{Port: DefaultPort}) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		first.Close()
		if w.open(Config{}, home).Port() != DefaultPort {
			t.Error("the port is still taken")
		}
	})
}

func TestAFullQueueDrops(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.open(Config{}, home), w.open(Config{Buffer: 10 * (1000 + overhead)}, office)
		w.send(a, b, office, Train{Data: pattern(12 * 1000), Segment: 1000})
		if got := w.waiting(b); len(got) != 1 || len(got[0].Data) != 10_000 || b.Stats().Overflow != 2 {
			t.Errorf("%d trains, %+v", len(got), b.Stats())
		}
		w.send(a, b, office, Train{Data: []byte("again")})
		if got := words(w.waiting(b)); !slices.Equal(got, []string{"again"}) || b.Stats().Overflow != 2 {
			t.Errorf("%q, %+v", got, b.Stats())
		}
	})
}

func TestAFaultIsCountedAsTheSystemsOwn(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.open(Config{}, home), w.open(Config{}, office)
		faults := []error{syscall.ENOBUFS, nil, syscall.EMSGSIZE, syscall.ENETUNREACH, syscall.EPERM, errors.New("of no kind")}
		a.Fail(func(train Train) error {
			fault := faults[0]
			faults = faults[1:]
			return fault
		})
		trains := make([]Train, len(faults))
		for i := range trains {
			trains[i] = Train{Data: []byte("abc"), Segment: 1}
		}
		w.send(a, b, office, trains...)
		if st := a.Stats(); st.NoBuffer != 3 || st.TooBig != 3 || st.Unreachable != 3 || st.Refused != 6 {
			t.Errorf("%+v", st)
		}
		a.Fail(nil)
		w.send(a, b, office, Train{Data: []byte("d")})
		if got := words(w.waiting(b)); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
			t.Errorf("%q", got)
		}
	})
}

// relabel shows one machine at another address, and hides what is sent to any other.
type relabel struct{ inside, outside netip.Addr }

func (r relabel) Leave(from, to netip.AddrPort) (netip.AddrPort, bool) {
	if from.Addr() == r.inside {
		from = netip.AddrPortFrom(r.outside, from.Port())
	}
	return from, to.Addr() != r.inside
}

func (r relabel) Arrive(_, to netip.AddrPort) (netip.AddrPort, bool) {
	if to.Addr() == r.outside {
		to = netip.AddrPortFrom(r.inside, to.Port())
	}
	return to, true
}

func TestWhatStandsBetweenChangesAddresses(t *testing.T) {
	inWorld(t, func(w *world) {
		w.n.Through(relabel{inside: cafe, outside: home})
		a, b := w.open(Config{}, cafe), w.open(Config{}, office)
		w.send(a, b, office, Train{Data: []byte("out")})
		if in := w.waiting(b); len(in) != 1 || in[0].Remote.Addr() != home {
			t.Errorf("out: %+v", in)
		}
		w.send(b, a, home, Train{Data: []byte("in")})
		if in := w.waiting(a); len(in) != 1 || in[0].Local != cafe || in[0].Remote.Addr() != office {
			t.Errorf("in: %+v", in)
		}
		w.send(b, a, cafe, Train{Data: []byte("hidden")})
		if in := w.waiting(a); len(in) != 0 {
			t.Errorf("hidden: %+v", in)
		}
	})
}
