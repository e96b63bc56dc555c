package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

var (
	start = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	noon  = Instant{At: start.Add(12 * time.Hour), Local: start.Add(12 * time.Hour)}
)

const domain = "k7mplant"

// signer is a certificate with its key.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// mint issues a certificate as wrong or right as edit makes it; by nil: self-signed.
func mint(t *testing.T, by *signer, uris []string, edit func(*x509.Certificate)) *signer {
	t.Helper()
	return mintOn(t, elliptic.P256(), by, uris, edit)
}

func mintOn(t *testing.T, curve elliptic.Curve, by *signer, uris []string, edit func(*x509.Certificate)) *signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start, NotAfter: start.AddDate(0, 0, 60)}
	for _, s := range uris {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		c.URIs = append(c.URIs, u)
	}
	edit(c)
	if by == nil {
		by = &signer{c, k}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, &k.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{parsed, k}
}

func authority(name string, pathlen int) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		c.MaxPathLen, c.MaxPathLenZero = pathlen, pathlen == 0
		c.NotAfter = start.AddDate(10, 0, 0)
	}
}

func holder(usages ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageDigitalSignature, usages
	}
}

var (
	client = holder(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth)
	server = holder(x509.ExtKeyUsageServerAuth)
)

// world is one trust domain with two tenants.
type world struct {
	root, interA, interB, controller, relay, nodeA *signer
	a, b                                           ident.Tenant
	ctrl                                           ident.Controller
	n                                              ident.Node
	pin                                            [32]byte
}

func newWorld(t *testing.T) *world {
	w := &world{a: 7, b: 8, ctrl: 3, n: 9}
	w.root = mint(t, nil, nil, authority(domain, 1))
	w.pin = key.Fingerprint(w.root.cert)
	w.interA = mint(t, w.root, []string{TenantName(domain, w.a).String()}, authority("a", 0))
	w.interB = mint(t, w.root, []string{TenantName(domain, w.b).String()}, authority("b", 0))
	w.controller = mint(t, w.root, []string{ControllerName(domain, w.ctrl).String()}, server)
	w.relay = mint(t, w.root, []string{RelayName(domain, 5).String()}, server)
	w.nodeA = mint(t, w.interA, []string{NodeName(domain, w.a, w.n).String()}, client)
	return w
}

func chain(s ...*signer) (c []*x509.Certificate) {
	for _, s := range s {
		c = append(c, s.cert)
	}
	return c
}
