package stream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const domain = "k7mplant"

// party is a certificate with its key and what is presented behind it.
type party struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	chain [][]byte
}

func (p *party) tls() *tls.Certificate {
	return &tls.Certificate{Certificate: p.chain, PrivateKey: p.key, Leaf: p.cert}
}

// realm is one trust domain: a controller, a relay, tenant 7 with node 9, and tenant 8.
type realm struct {
	root, controller, relay, inter7, inter8, node *party
}

var theRealm = sync.OnceValue(func() *realm {
	r := &realm{root: mint(nil, trust.Name{}, forever)}
	r.controller = mint(r.root, trust.ControllerName(domain, 3), forever)
	r.relay = mint(r.root, trust.RelayName(domain, 4), forever)
	r.inter7 = mint(r.root, trust.TenantName(domain, 7), forever)
	r.inter8 = mint(r.root, trust.TenantName(domain, 8), forever)
	r.node = mint(r.inter7, trust.NodeName(domain, 7, 9), forever)
	return r
})

// forever covers both the real clock and a bubble's, which starts in the year 2000, and the floor of trusted time.
var forever = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)

func mint(by *party, n trust.Name, until time.Time) *party {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: domain}, NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: until, BasicConstraintsValid: true}
	switch n.Role {
	case 0, trust.RoleTenant:
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		c.Subject.CommonName = domain + n.String()
		if n.Role == 0 {
			c.Subject.CommonName = domain
		}
	default:
		c.Subject.CommonName = "leaf"
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if n.Role != 0 {
		c.URIs = []*url.URL{n.URI()}
	}
	signer := by
	if by == nil {
		signer = &party{cert: c, key: k}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer.cert, &k.PublicKey, signer.key)
	if err != nil {
		panic(err)
	}
	p := &party{key: k, chain: [][]byte{der}}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	if by != nil {
		p.chain = append(p.chain, by.cert.Raw)
	}
	return p
}

func (r *realm) serverTLS(as *party) ServerTLS {
	return ServerTLS{
		Certificate: func() (*tls.Certificate, error) { return as.tls(), nil },
		Admit: func(chain []*x509.Certificate) error {
			_, err := trust.VerifyNode(chain, r.root.cert, trust.Clock{}.Now())
			return err
		},
	}
}

func (r *realm) clientTLS(as *party) *tls.Config {
	c := ClientTLS{Pin: key.Fingerprint(r.root.cert)}
	if as != nil {
		c.Certificate = as.tls()
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
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, handle) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
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
