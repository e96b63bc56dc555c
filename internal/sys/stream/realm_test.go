package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realm is one trust domain: a controller, a relay, tenant 7 with node 9, and tenant 8.
type realm struct {
	root, controller, relay, inter7, inter8, node *trusttest.Party
}

var theRealm = sync.OnceValue(func() *realm {
	r := &realm{root: trusttest.Root()}
	r.controller = r.root.Mint(trust.ControllerName(trusttest.Domain, 3))
	r.relay = r.root.Mint(trust.RelayName(trusttest.Domain, 4))
	r.inter7 = r.root.Mint(trust.TenantName(trusttest.Domain, 7))
	r.inter8 = r.root.Mint(trust.TenantName(trusttest.Domain, 8))
	r.node = r.inter7.Mint(trust.NodeName(trusttest.Domain, 7, 9))
	return r
})

func (r *realm) serverTLS(as *trusttest.Party) ServerTLS {
	return ServerTLS{
		Certificate: func() (*tls.Certificate, error) { return as.TLS(), nil },
		Admit: func(chain []*x509.Certificate) error {
			_, err := trust.VerifyNode(chain, r.root.Cert, trust.Clock{}.Now())
			return err
		},
	}
}

func (r *realm) clientTLS(as *trusttest.Party) *tls.Config {
	c := ClientTLS{Pin: r.root.Pin()}
	if as != nil {
		c.Certificate = as.TLS()
	}
	return c.Config()
}

// serve starts a listener on loopback, or as cfg says, and ends it with the test. It returns the address.
func serve(t testing.TB, cfg ListenConfig, handle Handler) netip.AddrPort {
	l := listen(t, cfg)
	run(t, l, handle)
	return l.Addr()
}

func listen(t testing.TB, cfg ListenConfig) *Listener {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.TLS.Certificate == nil {
		cfg.TLS = theRealm().serverTLS(theRealm().controller)
	}
	l, err := Listen(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run serves until the function that it returns is called or the test ends.
func run(t testing.TB, l *Listener, handle Handler) (stop func()) {
	end := begin(l, handle)
	stop = sync.OnceFunc(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// begin serves until the function that it returns is called, which says how that ended.
func begin(l *Listener, handle Handler) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, handle) }()
	return func() error {
		cancel()
		return <-done
	}
}

func dial(t testing.TB, cfg DialConfig) Stream {
	t.Helper()
	s, err := tryDial(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tryDial(t testing.TB, cfg DialConfig) (Stream, error) {
	t.Helper()
	if cfg.TLS == nil {
		cfg.TLS = theRealm().clientTLS(theRealm().node)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return Dial(ctx, cfg)
}

// each runs a story on both transports.
func each(t *testing.T, story func(t *testing.T, transport Transport)) {
	for _, transport := range []Transport{TCP, QUIC} {
		t.Run(string(transport), func(t *testing.T) { story(t, transport) })
	}
}

// echo answers every frame with itself.
func echo(ctx context.Context, s Stream) {
	for {
		f, err := s.Recv()
		if err != nil || s.Send(ctx, encode(f)) != nil {
			return
		}
	}
}

func encode(f *pb.Frame) []byte {
	b, err := control.AppendFrame(nil, f)
	if err != nil {
		panic(err)
	}
	return b
}

func ping(nonce uint64) *pb.Frame {
	return &pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: nonce}}}
}

// bulk is a frame of about n bytes.
func bulk(n int) []byte {
	return encode(&pb.Frame{Body: &pb.Frame_Renew{Renew: &pb.Renew{Csr: make([]byte, n)}}})
}

// exchange sends a ping and expects it back.
func exchange(t testing.TB, s Stream, nonce uint64) {
	t.Helper()
	if err := s.Send(context.Background(), encode(ping(nonce))); err != nil {
		t.Fatal(err)
	}
	f, err := s.Recv()
	if err != nil || f.GetPing().GetNonce() != nonce {
		t.Fatal(f, err)
	}
}
