package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/quicx"
)

var (
	left  = netip.MustParseAddr("198.51.100.1")
	right = netip.MustParseAddr("198.51.100.2")
	other = netip.MustParseAddr("198.51.100.3")
)

const port = 8443

var quicAddr = netip.AddrPortFrom(right, port)

// simulated is a node at left and a controller at right, on a network in virtual time with 20 ms each way.
type simulated struct {
	net  *netsim.Net
	node *netsim.Host
	// noUDP is a firewall on the node's side; noTCP another.
	noUDP, noTCP bool
}

func simulate(t *testing.T) *simulated {
	s := &simulated{net: netsim.New(1)}
	s.net.Weather(netsim.Conditions{Latency: 20 * time.Millisecond})
	s.node = s.net.Host(left)
	return s
}

// controller serves at an address until the function that it returns is called.
func (s *simulated) controller(t *testing.T, at netip.Addr, handle Handler) (stop func()) {
	h := s.net.Host(at)
	tcp, err := h.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	udp, err := h.ListenPacket(port)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, listen(t, ListenConfig{TCP: tcp, UDP: udp}), handle)
}

func (s *simulated) config(addrs ...netip.Addr) DialConfig {
	cfg := DialConfig{TLS: theRealm().clientTLS(theRealm().node), DialTCP: s.dialTCP, ListenUDP: s.listenUDP}
	for _, a := range addrs {
		cfg.Addrs = append(cfg.Addrs, netip.AddrPortFrom(a, port).String())
	}
	return cfg
}

func (s *simulated) dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if s.noTCP {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.node.Dial(ctx, to)
}

func (s *simulated) listenUDP(context.Context, netip.AddrPort) (net.PacketConn, error) {
	c, err := s.node.ListenPacket(0)
	if s.noUDP {
		c = swallow{c}
	}
	return c, err
}

// swallow is a socket behind a firewall that drops everything.
type swallow struct{ net.PacketConn }

func (swallow) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

func TestQUICWinsWhereUDPPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		defer s.controller(t, right, echo)()
		start := time.Now()
		c := dial(t, s.config(right))
		if took := time.Since(start); c.Info().Transport != QUIC || took > 60*time.Millisecond {
			t.Error(c.Info().Transport, took)
		}
		exchange(t, c, 1)
		time.Sleep(24 * time.Hour) // the keepalive holds it
		exchange(t, c, 2)
		c.Close()
	})
}

func TestTCPTakesOverWhereUDPIsBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.noUDP = true
		defer s.controller(t, right, echo)()
		var memory Recent
		cfg := s.config(right)
		cfg.Memory, cfg.Attachment = &memory, "café"
		start := time.Now()
		c := dial(t, cfg)
		if took := time.Since(start); c.Info().Transport != TCP || took > stagger+100*time.Millisecond {
			t.Error(c.Info().Transport, took)
		}
		exchange(t, c, 1)
		c.Close()

		start = time.Now()
		c = dial(t, cfg)
		if took := time.Since(start); c.Info().Transport != TCP || took > 100*time.Millisecond {
			t.Error("not remembered:", c.Info().Transport, took)
		}
		c.Close()

		s.noUDP, cfg.Afresh = false, true
		c = dial(t, cfg)
		if c.Info().Transport != QUIC {
			t.Error("the way that has become free is not found")
		}
		c.Close()
		if last, ok := memory.Recall("café"); !ok || last.Transport != QUIC {
			t.Error(last)
		}
	})
}

func TestOneTransportMayBeChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.noUDP = true
		defer s.controller(t, right, echo)()
		cfg := s.config(right)
		cfg.Transport = QUIC
		start := time.Now()
		_, err := tryDial(t, cfg)
		if err == nil || !strings.Contains(err.Error(), "quic 198.51.100.2:8443: ") || strings.Contains(err.Error(), "tcp 198") || time.Since(start) > handshakeTime {
			t.Error(err, time.Since(start))
		}
		cfg.Transport = TCP
		c := dial(t, cfg)
		exchange(t, c, 1)
		c.Close()
	})
}

func TestADeadAddressCostsAQuarterOfASecondOrLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.net.Host(other) // a machine on which nothing runs: TCP is refused, UDP lost
		defer s.controller(t, right, echo)()
		start := time.Now()
		c := dial(t, s.config(other, right))
		if took := time.Since(start); c.Info().Remote.Addr() != right || took > 2*stagger+100*time.Millisecond {
			t.Error(c.Info(), took)
		}
		c.Close()

		cfg := s.config(other, right)
		cfg.Transport = TCP
		start = time.Now()
		c = dial(t, cfg)
		if took := time.Since(start); took >= stagger {
			t.Error("the next one waits though the first has failed:", took)
		}
		c.Close()
	})
}

func TestTheErrorSaysWhatWasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.net.Host(other)
		cfg := s.config(other)
		cfg.Addrs = append(cfg.Addrs, "nowhere.example:8443", "nonsense")
		cfg.Lookup = func(context.Context, string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "nowhere.example", IsNotFound: true}
		}
		_, err := tryDial(t, cfg)
		if err == nil {
			t.Fatal("connected to nobody")
		}
		for _, want := range []string{"nowhere.example:8443: no such name", "nonsense: not of the form host:port", "tcp 198.51.100.3:8443: connection refused", "quic 198.51.100.3:8443: ", "firewalls"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in: %v", want, err)
			}
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	})
}

func TestDialEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		s.noUDP, s.noTCP = true, true
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := Dial(ctx, s.config(right))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second || !strings.HasPrefix(err.Error(), "controller not reached: 198.51.100.2:8443: no answer in time; does the controller run there") {
			t.Error(err, time.Since(start))
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err = Dial(ctx, s.config(right)); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "gave up") {
			t.Error(err)
		}
	})
}

func TestNamesAreResolvedAndFamiliesTakeTurns(t *testing.T) {
	a := netip.MustParseAddr
	cfg := DialConfig{Addrs: []string{"c.example:1", "[2001:db8::9]:2", "192.0.2.9:3"}, Transport: Auto}
	cfg.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{a("192.0.2.1"), a("192.0.2.2"), a("2001:db8::1")}, nil
	}
	targets, failures := cfg.resolve(t.Context())
	var got []string
	for _, x := range targets {
		got = append(got, x.String())
	}
	want := []string{"c.example:1 ([2001:db8::1]:1)", "c.example:1 (192.0.2.1:1)", "c.example:1 (192.0.2.2:1)", "[2001:db8::9]:2", "192.0.2.9:3"}
	if !reflect.DeepEqual(got, want) || failures != nil {
		t.Error(got, failures)
	}
	cfg.Memory = new(Recent)
	cfg.Memory.Remember("", Choice{Transport: TCP, Addr: "192.0.2.9:3"})
	if tries := cfg.order(targets); len(tries) != 10 || tries[0].transport != TCP || tries[0].name != "192.0.2.9:3" || tries[1].transport != QUIC || tries[1].host != "c.example" || tries[9].transport != QUIC {
		t.Error("the remembered way does not come first, or one is lost:", tries)
	}
	cfg.Afresh = true
	if tries := cfg.order(targets); len(tries) != 10 || tries[0].transport != QUIC || tries[1].transport != TCP || tries[1].to != tries[0].to {
		t.Error(tries)
	}
}

func TestASlowNameDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DialConfig{Addrs: []string{"slow.example:1", "192.0.2.9:3"}}
		cfg.Lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		start := time.Now()
		targets, failures := cfg.resolve(t.Context())
		if len(targets) != 1 || len(failures) != 1 || time.Since(start) != lookupRest {
			t.Error(targets, failures, time.Since(start))
		}
	})
}

func TestOnlySoManyPlacesAreRemembered(t *testing.T) {
	var m Recent
	for i := range places + 1 {
		m.Remember(string(rune('A'+i)), Choice{Transport: QUIC, Addr: "a"})
	}
	m.Remember("B", Choice{Transport: TCP, Addr: "b"})
	if _, ok := m.Recall("A"); ok || len(m.at) != places || len(m.order) != places {
		t.Error("forgets nothing", len(m.at))
	}
	if c, _ := m.Recall("B"); c != (Choice{Transport: TCP, Addr: "b"}) {
		t.Error(c)
	}
}

func TestACrashOfTheControllerIsNoticedWithTheNextHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		serveAgain := func(handle Handler) (crash func()) {
			udp, err := s.net.Host(right).ListenPacket(port)
			if err != nil {
				t.Fatal(err)
			}
			l := listen(t, ListenConfig{UDP: udp, ResetKey: [32]byte{1}})
			end := begin(l, handle)
			return func() {
				s.net.Host(right).PowerCut() // else the end would be announced
				l.Close()
				_ = end() // it may have seen its socket vanish
			}
		}
		began := make(chan struct{})
		crash := serveAgain(func(_ context.Context, c Stream) {
			c.Recv()
			close(began)
			if f, err := c.Recv(); err == nil {
				t.Error("a heartbeat is taken for a frame", f)
			}
		})
		cfg := s.config(right)
		cfg.Transport = QUIC
		c := dial(t, cfg)
		c.Send(t.Context(), encode(ping(1)))
		<-began
		time.Sleep(10 * time.Minute)
		crash()
		defer serveAgain(echo)()
		start := time.Now()
		_, err := c.Recv()
		if took := time.Since(start); err == nil || err == io.EOF || took > quicx.KeepAlive+time.Second {
			t.Error(err, took)
		}
		c.Close()
	})
}

func TestAConnectionWithoutFramesIsJustBytes(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		at := serve(t, ListenConfig{}, func(ctx context.Context, s Stream) { echo(ctx, s) })
		c, err := DialConn(t.Context(), DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: theRealm().clientTLS(theRealm().node)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		want := encode(ping(7))
		if _, err := c.Write(want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v", got, err)
		}
		if c.Info().Transport != transport {
			t.Error(c.Info())
		}
	})
}

func TestErrorsNameWhoWasMeant(t *testing.T) {
	var twin Twin
	_, err := DialConn(t.Context(), DialConfig{Whom: "relay", Addrs: []string{"192.0.2.1:443"}, Transport: TCP, DialTCP: twin.DialTCP, TLS: theRealm().clientTLS(nil)})
	if err == nil || !strings.HasPrefix(err.Error(), "relay not reached: ") {
		t.Error(err)
	}
}
