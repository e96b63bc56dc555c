package quicx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/sim/netsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var serverTLS = sync.OnceValue(func() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*certtest.New(func(*x509.Certificate) {}).TLS()}, NextProtos: []string{"test"}}
})

var clientTLS = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"test"}}

func open(t *testing.T, cfg Config) *Port {
	t.Helper()
	if cfg.Conn == nil {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Conn = c
	}
	p, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// serve runs a server that echoes the first four bytes of each stream, until the function that it returns is called or the test ends.
func serve(t *testing.T, p *Port) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- p.Serve(ctx, serverTLS(), func(ctx context.Context, c *quic.Conn) {
			defer c.CloseWithError(0, "")
			for {
				s, err := c.AcceptStream(ctx)
				if err != nil {
					return
				}
				io.CopyN(s, s, 4)
			}
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		p.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func dial(t *testing.T, p *Port, to netip.AddrPort) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return p.Dial(ctx, to, clientTLS)
}

// exchange opens a stream and expects a word back.
func exchange(t *testing.T, c *quic.Conn) {
	t.Helper()
	s, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(time.Minute))
	s.Write([]byte("word"))
	b := make([]byte, 4)
	if _, err := io.ReadFull(s, b); err != nil || string(b) != "word" {
		t.Fatal(string(b), err)
	}
}

func TestWhatIsNotQUICGoesToTheHandler(t *testing.T) {
	got := make(chan string, 10)
	var p *Port
	p = open(t, Config{Other: func(b []byte, from netip.AddrPort) {
		got <- string(b)
		p.WriteTo(append([]byte{0x20}, "answer"...), from)
	}})
	serve(t, p)
	plain, err := net.Dial("udp4", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	client := open(t, Config{})
	c, err := dial(t, client, p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, c) // both kinds arrive in the same batches
	for _, first := range []string{"\x20relay", "\x00\x01stun", "\x3fesp"} {
		plain.Write([]byte(first))
		if s := <-got; s != first {
			t.Errorf("%q", s)
		}
		b := make([]byte, 20)
		plain.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := plain.Read(b); err != nil || string(b[:n]) != "\x20answer" {
			t.Error(string(b[:n]), err)
		}
	}
	exchange(t, c)
	c.CloseWithError(0, "")
}

func TestACrowdIsLetIn(t *testing.T) {
	const waves, wave = 3, 16 // quic-go refuses when 32 wait: together they are more, but no wave alone, however slow the machine
	var inside, most atomic.Int32
	server := open(t, Config{Unproven: 1000, Admit: func(netip.AddrPort, bool) (func(), error) {
		most.Store(max(most.Load(), inside.Add(1)))
		return func() { inside.Add(-1) }, nil
	}})
	serve(t, server)
	client := open(t, Config{})
	for range waves {
		var all sync.WaitGroup
		for range wave {
			all.Go(func() {
				c, err := dial(t, client, server.Addr())
				for again := 0; again < 10 && errors.As(err, new(*quic.IdleTimeoutError)); again++ { // the machine was away for five seconds
					c, err = dial(t, client, server.Addr())
				}
				if err != nil {
					t.Error(err)
					return
				}
				exchange(t, c) // the server has accepted it, so its handshake is over; it stays
			})
		}
		all.Wait()
	}
	for end := time.Now().Add(time.Minute); inside.Load() != 0 && time.Now().Before(end); <-time.After(10 * time.Millisecond) { // one that was given up
	}
	if inside.Load() != 0 || most.Load() == 0 {
		t.Error("handshakes under way:", inside.Load(), "at most:", most.Load())
	}
}

func TestWhoIsNotAdmittedIsRefused(t *testing.T) {
	server := open(t, Config{Admit: func(netip.AddrPort, bool) (func(), error) { return nil, errors.New("full") }})
	serve(t, server)
	_, err := dial(t, open(t, Config{}), server.Addr())
	var refused *quic.TransportError
	if !errors.As(err, &refused) || refused.ErrorCode != quic.ConnectionRefused {
		t.Error(err)
	}
}

func TestBeyondTheRateAnAddressMustBeProven(t *testing.T) {
	proofs := make(chan bool, 3)
	server := open(t, Config{Unproven: 1, Admit: func(_ netip.AddrPort, proven bool) (func(), error) {
		proofs <- proven
		return func() {}, nil
	}})
	serve(t, server)
	for range 2 {
		c, err := dial(t, open(t, Config{}), server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, c)
	}
	if first, second := <-proofs, <-proofs; first || !second {
		t.Error(first, second)
	}
}

func TestTheBudgetComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRate(2)
		for i := range 5 {
			if r.exceeded(nil) != (i >= 2) {
				t.Error(i)
			}
		}
		time.Sleep(500 * time.Millisecond)
		if r.exceeded(nil) || !r.exceeded(nil) {
			t.Error("half a second does not give one of two a second")
		}
		time.Sleep(time.Hour)
		for range 2 {
			r.exceeded(nil)
		}
		if !r.exceeded(nil) {
			t.Error("unused budget piles up")
		}
	})
}

var (
	left  = netip.MustParseAddr("198.51.100.1")
	right = netip.MustParseAddrPort("198.51.100.2:443")
)

func TestAClientNoticesARestartWithItsNextPacket(t *testing.T) {
	for name, key := range map[string][32]byte{"the same key": {1}, "no key": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := netsim.New(1)
				n.Weather(netsim.Conditions{Latency: 20 * time.Millisecond})
				host := n.Host(right.Addr())
				socket := func(h *netsim.Host, port uint16) net.PacketConn {
					c, err := h.ListenPacket(port)
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
				crash, cancel := context.WithCancel(context.Background())
				first := open(t, Config{Conn: socket(host, right.Port()), ResetKey: key})
				served := make(chan error, 1)
				go func() {
					served <- first.Serve(crash, serverTLS(), func(_ context.Context, c *quic.Conn) { <-c.Context().Done() })
				}()
				client := open(t, Config{Conn: socket(n.Host(left), 0)})
				c, err := dial(t, client, right)
				if err != nil {
					t.Fatal(err)
				}
				str, err := c.OpenStream()
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				first.Close() // says nothing, like a crash
				cancel()
				<-served
				second := open(t, Config{Conn: socket(host, right.Port()), ResetKey: key})
				stop := serve(t, second)
				start := time.Now()
				if _, err := str.Write(make([]byte, 30)); err != nil {
					t.Error(err)
				}
				<-c.Context().Done()
				took := time.Since(start)
				if reset := key != [32]byte{}; reset && took > 50*time.Millisecond || !reset && took < IdleTimeout/2 {
					t.Error(took, context.Cause(c.Context()))
				}
				client.Close()
				stop()
			})
		})
	}
}

func TestBuffersSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		b    Buffers
		hint bool
	}{{Buffers{}, false}, {Buffers{10, 10}, false}, {Buffers{10, 9}, true}, {Buffers{9, 10}, true}} {
		if (c.b.Hint(10) != "") != c.hint {
			t.Error(c)
		}
	}
}
