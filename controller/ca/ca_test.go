package ca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
)

var birth = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

type clock struct{ t time.Time }

func (c *clock) now() time.Time         { return c.t }
func (c *clock) instant() trust.Instant { return trust.Clock{Local: c.now}.Now() }

func open(t *testing.T, keeper Keeper, c *clock) *CA {
	t.Helper()
	a, err := Open(context.Background(), Config{Keeper: keeper, Domain: "k7mplant", Controller: 3, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tenant makes a tenant's authority and keeps it.
func tenant(t *testing.T, c *CA, m *Memory, id ident.Tenant) {
	t.Helper()
	a, err := c.Intermediate(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetAuthority(context.Background(), a); err != nil {
		t.Fatal(err)
	}
}

func request(t *testing.T, k any, tmpl *x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, tmpl, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parse(t *testing.T, ders [][]byte) (chain []*x509.Certificate) {
	t.Helper()
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, c)
	}
	return chain
}

func TestANodeGetsACertificateThatItsControllerTrusts(t *testing.T) {
	var m Memory
	c := &clock{birth}
	a := open(t, &m, c)
	tenant(t, a, &m, 7)
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse("spiffe://k7mplant/controller/c0000000000003")
	csr := request(t, id.Signer(), &x509.CertificateRequest{Subject: pkix.Name{CommonName: "root"}, URIs: []*url.URL{u}, DNSNames: []string{"evil"}})
	ders, until, err := a.IssueNode(context.Background(), 7, 9, csr)
	if err != nil {
		t.Fatal(err)
	}
	chain := parse(t, ders)
	if k, err := key.PublicOf(chain[0].PublicKey); err != nil || k != id.Public() {
		t.Fatal("not for the key of the request", err)
	}
	if n, err := trust.VerifyNode(chain, a.RootCertificate(), c.instant()); err != nil || n != trust.NodeName("k7mplant", 7, 9) {
		t.Fatal(n, err)
	}
	leaf := chain[0]
	if !leaf.NotBefore.Equal(birth.Add(-time.Hour)) || !leaf.NotAfter.Equal(birth.Add(60*24*time.Hour)) || !until.Equal(leaf.NotAfter) {
		t.Error(leaf.NotBefore, leaf.NotAfter)
	}
	if len(leaf.DNSNames) != 0 || len(leaf.URIs) != 1 || leaf.Subject.CommonName != ident.Node(9).String() || leaf.SerialNumber.BitLen() > 127 {
		t.Error("the request's wishes got into the certificate:", leaf.DNSNames, leaf.URIs, leaf.Subject)
	}
	if len(leaf.UnknownExtKeyUsage) != 1 || !leaf.UnknownExtKeyUsage[0].Equal(ikeUsage) {
		t.Error("not for IKE:", leaf.UnknownExtKeyUsage)
	}
	if inter := chain[1]; !inter.MaxPathLenZero || !inter.PermittedDNSDomainsCritical || len(inter.PermittedURIDomains) != 1 {
		t.Error("the tenant's authority is not constrained")
	}
	c.t = birth.Add(61 * 24 * time.Hour)
	if _, err := trust.VerifyNode(chain, a.RootCertificate(), c.instant()); !errors.Is(err, trust.ErrExpired) {
		t.Error("lives on after its end:", err)
	}
}

func TestARelayGetsACertificateForBothEnds(t *testing.T) {
	var m Memory
	c := &clock{birth}
	a := open(t, &m, c)
	k, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	der, until, err := a.IssueRelay(5, request(t, k, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "controller"}}))
	if err != nil {
		t.Fatal(err)
	}
	chain := parse(t, [][]byte{der, a.Root()})
	if n, err := trust.VerifyRelay(chain, a.Pin(), c.instant()); err != nil || n != trust.RelayName("k7mplant", 5) || !until.Equal(birth.Add(RelayLife)) {
		t.Fatal(n, until, err)
	}
	if _, err := trust.VerifyController(chain, a.Pin(), c.instant()); !errors.Is(err, trust.ErrRole) {
		t.Error("a relay passes for the controller:", err)
	}
	if u := chain[0].ExtKeyUsage; len(u) != 2 || chain[0].Subject.CommonName != ident.Relay(5).String() {
		t.Error(u, chain[0].Subject)
	}
	if _, _, err := a.IssueRelay(5, []byte("no request")); err == nil {
		t.Error("issued for no request")
	}
}

func TestATenantsAuthorityCannotNameAnotherDomain(t *testing.T) {
	var m Memory
	c := &clock{birth}
	a := open(t, &m, c)
	tenant(t, a, &m, 7)
	inter, err := a.load(context.Background(), 7)
	if err != nil {
		t.Fatal(err)
	}
	k, _ := newKey()
	tmpl := template(trust.NodeName("elsewhere", 7, 9), birth, NodeLife, inter.cert.NotAfter)
	tmpl.KeyUsage, tmpl.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	leaf, err := sign(tmpl, inter, &k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.VerifyNode([]*x509.Certificate{leaf, inter.cert}, a.RootCertificate(), c.instant()); err == nil || !strings.Contains(err.Error(), "constraint") {
		t.Error("the name constraint does not hold:", err)
	}
}

func TestRequestsThatProveNothingAreRefused(t *testing.T) {
	good, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	none := &x509.CertificateRequest{}
	der := request(t, good, none)
	forged := bytes.Clone(der)
	forged[len(forged)-1] ^= 1
	for name, der := range map[string][]byte{
		"nothing": nil, "rubbish": []byte("rubbish"), "cut short": der[:len(der)-1], "P-384": request(t, p384, none), "RSA": request(t, rsaKey, none),
		"a forged signature": forged, "something huge": request(t, good, &x509.CertificateRequest{DNSNames: []string{strings.Repeat("a", maxRequest)}}),
	} {
		if _, err := parseRequest(der); !errors.Is(err, errRequest) {
			t.Errorf("%s passes: %v", name, err)
		}
	}
}

func TestTheControllersCertificateRenewsItself(t *testing.T) {
	var m Memory
	c := &clock{birth}
	a := open(t, &m, c)
	first, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := trust.VerifyController(parse(t, first.Certificate), a.Pin(), c.instant()); err != nil || n.Controller != 3 {
		t.Fatal(n, err)
	}
	c.t = birth.Add(ServerLife/2 - time.Minute)
	if again, _ := a.Server(); again != first {
		t.Error("renewed before its time")
	}
	c.t = birth.Add(ServerLife/2 + time.Minute)
	second, err := a.Server()
	if err != nil || second == first || second.Leaf.Equal(first.Leaf) {
		t.Fatal("not renewed at half its life", err)
	}
	c.t = birth.Add(ServerLife + 24*time.Hour)
	if _, err := trust.VerifyController(parse(t, second.Certificate), a.Pin(), c.instant()); err != nil {
		t.Error(err)
	}
}

func TestTheRootOutlivesARestartAndNothingOutlivesIt(t *testing.T) {
	var m Memory
	c := &clock{birth}
	a := open(t, &m, c)
	tenant(t, a, &m, 7)
	c.t = birth.AddDate(19, 11, 25)
	b := open(t, &m, c)
	if b.Pin() != a.Pin() || b.Domain() != "k7mplant" {
		t.Fatal("another root after a restart")
	}
	s, err := b.Server()
	if err != nil || s.Leaf.NotAfter.After(b.RootCertificate().NotAfter) {
		t.Error("outlives the root:", s.Leaf.NotAfter, err)
	}
	k, _ := newKey()
	csr := request(t, k, &x509.CertificateRequest{})
	if _, _, err := b.IssueNode(context.Background(), 7, 9, csr); err == nil || !strings.Contains(err.Error(), "ended on") {
		t.Error("a tenant's authority signs after its end:", err)
	}
	if _, _, err := b.IssueNode(context.Background(), 8, 9, csr); !errors.Is(err, store.ErrNotFound) {
		t.Error("a tenant that does not exist has an authority:", err)
	}
}

func TestAControllerThatWakesIn1970IssuesWhatNodesAccept(t *testing.T) {
	var m Memory
	c := &clock{time.Unix(0, 0)}
	a := open(t, &m, c)
	s, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range []*clock{c, {time.Now()}} {
		if _, err := trust.VerifyController(parse(t, s.Certificate), a.Pin(), node.instant()); err != nil {
			t.Error(err)
		}
	}
}

func TestDamagedKeysAreNamedAndNeverReplaced(t *testing.T) {
	for name, damage := range map[string]func(*store.Authority){
		"certificate": func(a *store.Authority) { a.Certificate = a.Certificate[:10] },
		"key":         func(a *store.Authority) { a.Key = a.Key[:10] },
		"not the":     func(a *store.Authority) { k, _ := newKey(); a.Key, _ = x509.MarshalPKCS8PrivateKey(k) },
	} {
		var m Memory
		open(t, &m, &clock{birth})
		kept := m.kept[0]
		damage(&kept)
		m.kept[0] = kept
		if _, err := Open(context.Background(), Config{Keeper: &m, Domain: "new", Controller: 3}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// mirror is a Sealer that can be told from none.
type mirror struct{ broken bool }

func (m mirror) Seal(b []byte) ([]byte, error) {
	b = bytes.Clone(b)
	for i := range b {
		b[i] ^= 0x55
	}
	return b, nil
}

func (m mirror) Unseal(b []byte) ([]byte, error) {
	if m.broken {
		return nil, errors.New("no TPM")
	}
	return m.Seal(b)
}

func TestKeysRestSealed(t *testing.T) {
	var m Memory
	cfg := Config{Keeper: &m, Domain: "k7mplant", Controller: 3, Sealer: mirror{}}
	if _, err := Open(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParsePKCS8PrivateKey(m.kept[0].Key); err == nil {
		t.Error("the key lies in the open")
	}
	if _, err := Open(context.Background(), cfg); err != nil {
		t.Error(err)
	}
	cfg.Sealer = mirror{broken: true}
	if _, err := Open(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "no TPM") {
		t.Error(err)
	}
}

func TestAnAuthorityWithoutANameIsRefused(t *testing.T) {
	for _, cfg := range []Config{{Domain: "a.b", Controller: 1}, {Domain: "", Controller: 1}, {Domain: "ok"}} {
		cfg.Keeper = new(Memory)
		if _, err := Open(context.Background(), cfg); err == nil {
			t.Errorf("%+v passes", cfg)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	k, err := newKey()
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, der []byte) {
		if k, err := parseRequest(der); (err == nil) != (k != nil) || err != nil && !errors.Is(err, errRequest) {
			t.Fatal(k, err)
		}
	})
}
